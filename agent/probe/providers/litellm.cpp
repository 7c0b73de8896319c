#include "probe/providers/types.hpp"
#include "probe/readers.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::ProbeKind;
using model::Verdict;

// docs.litellm.ai, the proxy: a budget is a 400, 401 or 429 by version, and "…Exception - " begins
// what its upstream said about the proxy's own key.
const ProviderType& litellm_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("litellm");
    type.rungs[1] = Rung{"GET", "/key/info", true, read_litellm_key};
    type.ladder = {ProbeKind::balance, ProbeKind::models};
    type.rules = joined(
        {
            {Verdict::quota_exhausted, {}, {"budget_exceeded"}, {}},
            {Verdict::quota_exhausted,
             {{400, 499}},
             {},
             {"budget has been exceeded", "exceededbudget", "exceeded budget for model",
              "over budget"}},
            {Verdict::disabled_key, {}, {"expired_key"}, {}},
            {Verdict::disabled_key, {only(401), only(403)}, {}, {"key is blocked"}},
            {Verdict::invalid_key, {}, {"token_not_found_in_db"}, {}},
            {Verdict::permission_denied,
             {},
             {"key_model_access_denied", "team_model_access_denied", "user_model_access_denied",
              "org_model_access_denied"},
             {}},
            {Verdict::server_error, {}, {"no_db_connection"}, {}},
            {Verdict::upstream_auth, {only(401), only(403)}, {}, {"exception - "}},
            {Verdict::upstream_auth, {}, {}, {"litellm.authenticationerror"}},
            // What befell the proxy's own key upstream, in the provider's words.
            {Verdict::upstream_auth,
             {{400, 499}},
             {},
             {"exception - *insufficient balance", "exception - *credit balance",
              "exception - *exceeded your current quota"}},
            {Verdict::overloaded, {only(429)}, {}, {"exception - "}},
            {Verdict::rate_limited,
             {only(429)},
             {},
             {"crossed tpm / rpm / max parallel request limit"},
             Reset::none,
             model::VerdictScope::key},
            {Verdict::overloaded, {only(429)}, {}, {"no deployments available"}},
            {Verdict::invalid_key, {only(401)}, {"auth_error"}, {}},
        },
        openai_code_rules());
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
