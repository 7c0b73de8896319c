#include "probe/providers/types.hpp"
#include "probe/readers.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::ProbeKind;
using model::Verdict;

// api-docs.deepseek.com: the status decides, because a 402 carries the code invalid_request_error.
// While it is busy it keeps a request open and sends empty lines; it names no rate limits.
const ProviderType& deepseek_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("deepseek");
    type.rungs[1] = Rung{"GET", "/user/balance", true, read_deepseek_balance};
    type.ladder = {ProbeKind::balance, ProbeKind::models};
    type.balance_tells_spending = true;
    type.limit_field = LimitField::max_tokens;
    type.disable_thinking = true;
    type.chat_model = "deepseek-flash";
    type.chat_price = usd_per_million(0.30, 0.006, 0.30, 1.20);
    type.chat_timeout_is_overload = true;
    type.rules = {
        {Verdict::invalid_key, {only(401)}, {}, {}},
        {Verdict::balance_exhausted, {only(402)}, {}, {}},
        {Verdict::model_missing, {only(400), only(422)}, {}, {"model*not exist"}},
        {Verdict::bad_request, {only(400), only(422)}, {}, {}},
        {Verdict::rate_limited, {only(429)}, {}, {}},
        {Verdict::server_error, {only(500)}, {}, {}},
        {Verdict::overloaded, {only(503)}, {}, {}},
    };
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
