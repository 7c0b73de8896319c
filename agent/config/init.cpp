#include "config/init.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace keyherd::config {

namespace {

// How the makers' own tools name the variable that holds a key.
struct KnownVariable {
  std::string_view variable;
  std::string_view provider;  // id, and type unless base_url is given
  std::string_view base_url;  // of an OpenAI-compatible gateway
};
constexpr std::array<KnownVariable, 13> kVariables{{
    {"ANTHROPIC_API_KEY", "anthropic", ""},
    {"DASHSCOPE_API_KEY", "dashscope", ""},
    {"DEEPSEEK_API_KEY", "deepseek", ""},
    {"GEMINI_API_KEY", "gemini", ""},
    {"GROQ_API_KEY", "groq", ""},
    {"HOLYSHEEP_API_KEY", "holysheep", "https://api.holysheep.ai/v1"},
    {"MISTRAL_API_KEY", "mistral", ""},
    {"MOONSHOT_API_KEY", "moonshot", ""},
    {"OPENAI_API_KEY", "openai", ""},
    {"OPENROUTER_API_KEY", "openrouter", ""},
    {"SILICONFLOW_API_KEY", "siliconflow", ""},
    {"XAI_API_KEY", "xai", ""},
    {"ZHIPU_API_KEY", "zhipu", ""},
}};
constexpr int kMaxNumbered = 99;

constexpr std::string_view kHead =
    R"(# Keyherd's configuration. `keyherd check` reads it, `keyherd check --probe` tries the keys too.
# Secrets are never written here, only where they are: env:NAME, file:PATH, exec:["cmd", "arg"],
# credential:NAME (systemd) or keyring:ID.

[agent]
listen = "127.0.0.1:9925"  # metrics, API and status page
state = "keyherd.db"       # SQLite: counters, history, journal
)";

constexpr std::string_view kExample = R"(
# No API key was found in the environment. This is how one is configured:
#
# [providers.deepseek]
# type = "deepseek"
#
# [keys.deepseek-1]
# provider = "deepseek"
# secret = "env:DEEPSEEK_API_KEY"
#
# [pools.deepseek]
# keys = ["deepseek-1"]
)";

constexpr std::string_view kTail = R"(
# Usage and cost are read from the log that your clients or gateway write:
#
# [usage_logs.gateway]
# path = "/var/log/llm/usage*.jsonl"
#
# A limit, to be named in a key's quotas:
#
# [quotas.daily-tokens]
# limit = 50000
# unit = "tokens"
# window = "day"
)";

// The variables that hold a key, each key once: NAME and NAME_1 are often the same.
std::vector<std::string> find_keys(const KnownVariable& known, const Environment& environment) {
  std::vector<std::string> names;
  std::vector<std::string> values;
  for (int number = 0; number <= kMaxNumbered; ++number) {
    std::string name(known.variable);
    if (number > 0)
      name += fmt::format("_{}", number);
    auto value = environment.get(name);
    if (!value || value->empty() || std::find(values.begin(), values.end(), *value) != values.end())
      continue;
    names.push_back(std::move(name));
    values.push_back(std::move(*value));
  }
  return names;
}

std::string provider_section(const KnownVariable& known, const std::vector<std::string>& names) {
  const bool is_gateway = !known.base_url.empty();
  std::string text = fmt::format("\n[providers.{}]\ntype = \"{}\"\n", known.provider,
                                 is_gateway ? "openai_compat" : known.provider);
  if (is_gateway)
    text += fmt::format("base_url = \"{}\"\n", known.base_url);
  std::vector<std::string> ids;
  for (const std::string& name : names) {
    ids.push_back(fmt::format("\"{}-{}\"", known.provider, ids.size() + 1));
    text += fmt::format("\n[keys.{}-{}]\nprovider = \"{}\"\nsecret = \"env:{}\"\n", known.provider,
                        ids.size(), known.provider, name);
  }
  text += fmt::format("\n[pools.{}]\nkeys = [{}]\n", known.provider, fmt::join(ids, ", "));
  text += "# schedule = \"0 3 * * *\"  # rotate by the clock too, not only when a key fails\n";
  text += fmt::format("# publish = [{{ file = \"/run/keyherd/{}.json\" }}]\n", known.provider);
  return text;
}

}  // namespace

std::string make_initial_config(const Environment& environment) {
  std::string sections;
  for (const KnownVariable& known : kVariables) {
    const auto names = find_keys(known, environment);
    if (!names.empty())
      sections += provider_section(known, names);
  }
  return std::string(kHead) + (sections.empty() ? std::string(kExample) : sections) +
         std::string(kTail);
}

}  // namespace keyherd::config
