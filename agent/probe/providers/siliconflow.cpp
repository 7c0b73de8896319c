#include "probe/providers/types.hpp"
#include "probe/readers.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::ProbeKind;
using model::Verdict;

// docs.siliconflow.cn: business codes in the body, also with a 200.
const ProviderType& siliconflow_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("siliconflow");
    type.rungs[1] = Rung{"GET", "/user/info", false, read_siliconflow_user};
    type.ladder = {ProbeKind::balance, ProbeKind::models};
    type.limit_field = LimitField::max_tokens;
    type.chat_model = "Qwen/Qwen3-8B";
    type.currencies = {{".cn", "CNY"}, {".com", "USD"}};
    type.rules = {
        {Verdict::balance_exhausted, {}, {"30001"}, {}},
        {Verdict::permission_denied, {}, {"30011"}, {}},
        {Verdict::model_missing, {}, {"20012", "30003"}, {}},
        {Verdict::overloaded, {}, {"50505"}, {}},
        {Verdict::overloaded, {only(504)}, {}, {}},
    };
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
