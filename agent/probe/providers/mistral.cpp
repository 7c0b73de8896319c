#include "probe/providers/types.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::Verdict;

// docs.mistral.ai: a key whose plan is used up answers the same bare 401 as a revoked one, and a
// new key may be refused until a payment method is on file.
const ProviderType& mistral_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("mistral");
    type.limit_field = LimitField::max_tokens;
    type.chat_model = "mistral-small-latest";
    type.chat_price = usd_per_million(0.2, 0.2, 0.2, 0.6);
    type.rules = joined(
        {
            {Verdict::quota_exhausted, {only(402)}, {}, {"limit"}},
            {Verdict::model_missing, {}, {"unknown_model", "invalid_model"}, {}},
        },
        openai_code_rules());
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
