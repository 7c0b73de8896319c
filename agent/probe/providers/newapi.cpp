#include "probe/providers/types.hpp"
#include "probe/readers.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::ProbeKind;
using model::Verdict;

// one-api and new-api relays: an unknown model is a 503 about channels, and the token has a quota
// of its own beside the user's.
const ProviderType& newapi_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("newapi");
    type.rungs[1] = Rung{"GET", "/api/usage/token", true, read_newapi_token};
    type.ladder = {ProbeKind::balance, ProbeKind::models};
    type.rules = joined(
        {
            {Verdict::model_missing, {}, {}, {"no available channel", "无可用渠道"}},
            {Verdict::balance_exhausted,
             {},
             {"insufficient_user_quota", "insufficient_balance"},
             {}},
            {Verdict::disabled_key, {only(401), only(403)}, {}, {"令牌已过期", "令牌状态不可用"}},
            {Verdict::quota_exhausted,
             {only(401), only(403), only(429)},
             {},
             {"令牌额度已用尽"},
             Reset::none,
             model::VerdictScope::key},
            {Verdict::invalid_key, {only(401)}, {}, {}},
        },
        openai_code_rules());
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
