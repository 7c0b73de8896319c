#include "probe/providers/types.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

// platform.openai.com: a 429 is a rate limit or a bill, and only the code tells which.
const ProviderType& openai_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("openai");
    type.chat_model = "gpt-4.1-nano";
    type.chat_price = usd_per_million(0.1, 0.025, 0.1, 0.4);
    type.rules = openai_code_rules();
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
