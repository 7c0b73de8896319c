#include "model/provider.hpp"

#include "model/enum_names.hpp"

namespace keyherd::model {

namespace {
constexpr std::array<std::string_view, 5> kMethods{"auto", "models", "balance", "chat", "auth"};
constexpr std::array<std::string_view, 3> kLimitFields{"auto", "max_tokens",
                                                       "max_completion_tokens"};
constexpr std::array<std::string_view, 5> kResets{"none", "next_month", "midnight_pacific",
                                                  "in_message", "in_message_beijing"};
}  // namespace

std::string_view to_string(LimitField field) {
  return name_of(kLimitFields, field);
}
std::optional<LimitField> limit_field_from_string(std::string_view name) {
  return value_of<LimitField>(kLimitFields, name);
}

std::string_view to_string(RuleReset reset) {
  return name_of(kResets, reset);
}
std::optional<RuleReset> rule_reset_from_string(std::string_view name) {
  return value_of<RuleReset>(kResets, name);
}

std::string_view to_string(ProbeMethod method) {
  return name_of(kMethods, method);
}
std::optional<ProbeMethod> probe_method_from_string(std::string_view name) {
  return value_of<ProbeMethod>(kMethods, name);
}

const std::vector<std::string>& provider_types() {
  static const std::vector<std::string> kTypes{
      "anthropic",  "azure",       "dashscope", "deepseek", "gemini", "groq",
      "litellm",    "mistral",     "moonshot",  "newapi",   "openai", "openai_compat",
      "openrouter", "siliconflow", "xai",       "zhipu"};
  return kTypes;
}

}  // namespace keyherd::model
