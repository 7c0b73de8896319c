#include "probe/providers/types.hpp"
#include "probe/readers.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::ProbeKind;
using model::Verdict;

// openrouter.ai/docs: /models is public and proves nothing; /key tells what the key may still
// spend. A 429 or 502 may speak of the upstream provider, and a 200 may hold an error.
const ProviderType& openrouter_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("openrouter");
    type.rungs[0] = std::nullopt;
    type.rungs[1] = Rung{"GET", "/key", false, read_openrouter_key};
    type.rungs[3] = std::nullopt;
    type.ladder = {ProbeKind::balance};
    type.chat_model = "openai/gpt-4.1-nano";
    type.chat_price = usd_per_million(0.1, 0.025, 0.1, 0.4);
    type.rules = {
        {Verdict::rate_limited,
         {only(402)},
         {"openrouter_in_flight_budget", "in_flight_budget_exhausted"},
         {}},
        {Verdict::bad_request, {only(402)}, {"weight_exceeds_budget"}, {}},
        {Verdict::balance_exhausted, {only(402)}, {}, {}},
        {Verdict::quota_exhausted,
         {only(403)},
         {"openrouter_key_limit"},
         {},
         Reset::none,
         model::VerdictScope::key},
        {Verdict::quota_exhausted,
         {only(403)},
         {"openrouter_guardrail_budget", "openrouter_workspace_budget"},
         {}},
        {Verdict::region_denied, {}, {"region_restricted"}, {}},
        {Verdict::model_missing,
         {},
         {"model_not_found", "model_deprecated", "no_endpoints", "free_variant_ended"},
         {}},
        {Verdict::overloaded, {only(429)}, {"capacity_exhausted", "provider_code"}, {}},
        {Verdict::overloaded, {}, {"provider_overloaded"}, {}},
        {Verdict::server_error, {}, {"provider_unavailable"}, {}},
    };
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
