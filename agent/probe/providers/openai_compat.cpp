#include "probe/providers/types.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::Verdict;

// Anything that speaks the OpenAI API. Its refusals may come from a gateway in front (LiteLLM
// writes "OpenAIException - " before what its own upstream said) and its 429 may be about money.
const ProviderType& openai_compat_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("openai_compat");
    type.rules = joined(
        joined(
            {
                {Verdict::upstream_auth, {only(401), only(403)}, {}, {"exception - "}},
                {Verdict::upstream_auth, {}, {}, {"litellm.authenticationerror"}},
                {Verdict::disabled_key,
                 {only(400), only(401), only(403)},
                 {},
                 {"key*expired", "expired key", "key*disabled", "key*blocked", "key*revoked"}},
                {Verdict::disabled_key, {}, {"expired_key"}, {}},
                {Verdict::balance_exhausted,
                 {},
                 {"insufficient_user_quota", "insufficient_balance"},
                 {}},
                {Verdict::quota_exhausted, {}, {"budget_exceeded"}, {}},
                {Verdict::model_missing, {}, {}, {"no available channel", "无可用渠道"}},
            },
            openai_code_rules()),
        {
            {Verdict::rate_limited,
             {only(429)},
             {},
             {"per minute", "per second", "per min", "rpm", "tpm", "too many requests"}},
            {Verdict::quota_exhausted, {only(429)}, {}, {"quota", "额度"}},
            {Verdict::balance_exhausted, {only(429)}, {}, {"balance", "credit", "余额"}},
        });
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
