#include "probe/providers/types.hpp"

namespace keyherd::probe {

using model::ProbeKind;
using model::Verdict;

// docs.bigmodel.cn and docs.z.ai: the business code inside the body decides, not the status. No
// free endpoint is documented, so a refused empty chat request is the free proof.
const ProviderType& zhipu_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("zhipu");
    type.ladder = {ProbeKind::auth};
    type.limit_field = LimitField::max_tokens;
    type.disable_thinking = true;
    type.chat_model = "glm-4.5-flash";
    type.rules = {
        {Verdict::invalid_key, {}, {"1000", "1001", "1002", "1004"}, {}},
        {Verdict::disabled_key, {}, {"1003"}, {}},
        {Verdict::account_disabled, {}, {"1110", "1111", "1112", "1121"}, {}},
        {Verdict::balance_exhausted, {}, {"1113"}, {}},
        {Verdict::bad_request, {}, {"1210", "1213", "1214", "1215", "1261", "1300", "1301"}, {}},
        {Verdict::model_missing, {}, {"1211", "1221", "1222"}, {}},
        {Verdict::permission_denied, {}, {"1220", "1311"}, {}},
        {Verdict::rate_limited, {}, {"1302", "1303", "1313"}, {}},
        {Verdict::quota_exhausted, {}, {"1308", "1310"}, {}, Reset::in_message_beijing},
        {Verdict::quota_exhausted, {}, {"1304", "1309"}, {}},
        {Verdict::overloaded, {}, {"1305", "1312"}, {}},
        {Verdict::server_error, {}, {"1120", "1200", "1230", "1234"}, {}},
    };
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
