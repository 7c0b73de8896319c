#include "model/provider.hpp"

#include "model/enum_names.hpp"

namespace keyherd::model {

namespace {
constexpr std::array<std::string_view, 5> kMethods{"auto", "models", "balance", "chat", "auth"};
}  // namespace

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
