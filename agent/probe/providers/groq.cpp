#include "probe/providers/types.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::Verdict;

// console.groq.com/docs: limits are per organization; a wait of an hour and more is the day's
// quota.
const ProviderType& groq_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("groq");
    type.limit_field = LimitField::max_completion_tokens;
    type.chat_model = "llama-3.1-8b-instant";
    type.chat_price = usd_per_million(0.05, 0.05, 0.05, 0.08);
    type.quota_after = std::chrono::minutes(59);
    type.rules = joined({{Verdict::overloaded, {only(498)}, {}, {}}}, openai_code_rules());
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
