#include "probe/providers/types.hpp"
#include "probe/readers.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::ProbeKind;
using model::Verdict;

// platform.moonshot.ai and .cn: two platforms whose keys are not interchangeable.
const ProviderType& moonshot_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("moonshot");
    type.rungs[1] = Rung{"GET", "/users/me/balance", false, read_moonshot_balance};
    type.ladder = {ProbeKind::balance, ProbeKind::models};
    type.balance_tells_spending = true;
    type.limit_field = LimitField::max_tokens;
    type.chat_model = "kimi-k2.5";
    type.chat_price = usd_per_million(0.6, 0.1, 0.6, 2.25);
    type.currencies = {{".cn", "CNY"}, {".ai", "USD"}};
    type.rules = {
        {Verdict::invalid_key, {}, {"invalid_authentication_error", "incorrect_api_key_error"}, {}},
        {Verdict::quota_exhausted,
         {only(403), only(429)},
         {},
         {"usage limit for this billing cycle", "usage limit for this period"}},
        {Verdict::balance_exhausted, {}, {"exceeded_current_quota_error"}, {}},
        {Verdict::permission_denied, {}, {"permission_denied_error"}, {}},
        {Verdict::rate_limited, {}, {"rate_limit_reached_error"}, {}},
        {Verdict::overloaded, {}, {"engine_overloaded_error"}, {}},
        {Verdict::model_missing, {}, {"resource_not_found_error"}, {}},
    };
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
