#include "probe/providers/types.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {

using model::ProbeKind;
using model::Verdict;

// help.aliyun.com/model-studio: arrears are a 400, and a throttling 429 may be an allocation that
// is used up. Listing models may be public, so a refused empty chat request is the free proof.
const ProviderType& dashscope_type() {
  static const ProviderType kType = [] {
    ProviderType type = openai_shaped("dashscope");
    type.ladder = {ProbeKind::auth};
    type.limit_field = LimitField::max_tokens;
    type.chat_model = "qwen-turbo";
    type.rules = joined(
        {
            {Verdict::balance_exhausted, {}, {"Arrearage"}, {}},
            {Verdict::invalid_key, {}, {"InvalidApiKey"}, {}},
            {Verdict::invalid_key, {only(403)}, {}, {"invalid api-key"}},
            {Verdict::permission_denied, {}, {"AccessDenied", "access_denied"}, {}},
            {Verdict::model_missing, {}, {"ModelNotFound"}, {}},
            {Verdict::quota_exhausted,
             {only(403), only(429)},
             {},
             {"free quota", "allocated quota exceeded"}},
            {Verdict::rate_limited, {only(429)}, {}, {}},
        },
        openai_code_rules());
    return type;
  }();
  return kType;
}

}  // namespace keyherd::probe
