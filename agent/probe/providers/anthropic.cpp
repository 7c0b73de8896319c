#include "probe/providers/types.hpp"
#include "probe/readers.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::ProbeKind;
using model::Verdict;

// docs.claude.com: an empty purse is a 402, or a 400 whose message says so; the spend cap is a 429
// without Retry-After. There is no balance to ask for.
const ProviderType& anthropic_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("anthropic");
    type.auth_header = "x-api-key";
    type.auth_prefix = "";
    type.headers = {{"anthropic-version", "2023-06-01"}};
    type.shape = ChatShape::anthropic;
    type.chat_model = "claude-haiku-4-5";
    type.chat_price = usd_per_million(1.0, 0.1, 1.25, 5.0);
    type.rungs = {Rung{"GET", "/v1/models?limit=1", true, read_model_list}, std::nullopt,
                  Rung{"POST", "/v1/messages", true, read_anthropic_message}, std::nullopt};
    type.ladder = {ProbeKind::models};
    type.rules = {
        {Verdict::balance_exhausted, {}, {"billing_error"}, {}},
        {Verdict::balance_exhausted, {only(400)}, {}, {"credit balance is too low"}},
        {Verdict::quota_exhausted,
         {only(400)},
         {},
         {"you have reached your specified*api usage limits"},
         Reset::in_message},
        {Verdict::account_disabled, {only(400), only(403)}, {}, {"organization has been disabled"}},
        {Verdict::quota_exhausted, {}, {"enforced_spend_limit_reached"}, {}, Reset::next_month_utc},
        {Verdict::invalid_key, {}, {"authentication_error"}, {}},
        {Verdict::permission_denied, {}, {"permission_error"}, {}},
        {Verdict::model_missing, {}, {"not_found_error"}, {}},
        {Verdict::rate_limited, {}, {"rate_limit_error"}, {}},
        {Verdict::overloaded, {}, {"overloaded_error"}, {}},
        {Verdict::server_error, {}, {"api_error", "timeout_error", "conflict_error"}, {}},
    };
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
