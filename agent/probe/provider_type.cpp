#include "probe/provider_type.hpp"

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "probe/providers/types.hpp"
#include "probe/readers.hpp"

namespace keyherd::probe {
namespace {

using TypeFunction = const ProviderType& (*)();

// Sorted by name.
constexpr std::array<TypeFunction, 16> kTypes{
    anthropic_type,  azure_type,       dashscope_type, deepseek_type,
    gemini_type,     groq_type,        litellm_type,   mistral_type,
    moonshot_type,   newapi_type,      openai_type,    openai_compat_type,
    openrouter_type, siliconflow_type, xai_type,       zhipu_type};

std::optional<model::ProbeKind> kind_of(model::ProbeMethod method) {
  switch (method) {
    case model::ProbeMethod::automatic:
      return std::nullopt;
    case model::ProbeMethod::models:
      return model::ProbeKind::models;
    case model::ProbeMethod::balance:
      return model::ProbeKind::balance;
    case model::ProbeMethod::chat:
      return model::ProbeKind::chat;
    case model::ProbeMethod::auth:
      return model::ProbeKind::auth;
  }
  return std::nullopt;
}

std::string joined_names(const ProviderType& type) {
  std::string names = "auto";
  for (std::size_t i = 0; i < model::kProbeKindCount; ++i)
    if (type.rungs[i])
      names += ", " + std::string(model::to_string(static_cast<model::ProbeKind>(i)));
  return names;
}

}  // namespace

model::Price usd_per_million(double input, double cached_input, double cache_write, double output) {
  const auto nanos = [](double usd) {
    return static_cast<model::NanoUsd>(
        std::llround(usd * static_cast<double>(model::kNanosPerUsd)));
  };
  return {nanos(input), nanos(cached_input), nanos(cache_write), nanos(output)};
}

ProviderType openai_shaped(std::string_view name) {
  ProviderType type;
  type.name = name;
  type.rungs = {Rung{"GET", "/models", false, read_model_list}, std::nullopt,
                Rung{"POST", "/chat/completions", false, read_openai_chat},
                Rung{"POST", "/chat/completions", false, nullptr}};
  type.ladder = {model::ProbeKind::models, model::ProbeKind::auth};
  return type;
}

const ProviderType* find_provider_type(std::string_view name) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(),
                                  [&](TypeFunction type) { return type().name == name; });
  return found == kTypes.end() ? nullptr : &(*found)();
}

const std::vector<std::string>& supported_types() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const TypeFunction type : kTypes)
      names.emplace_back(type().name);
    return names;
  }();
  return kNames;
}

Status check_provider(const model::Provider& provider) {
  const ProviderType* type = find_provider_type(provider.type);
  if (type == nullptr)
    return fail(ErrorCode::invalid, "provider type \"" + provider.type + "\" is not known");
  for (const auto& [name, path] : provider.probe.paths)
    if (const auto own = model::probe_kind_from_string(name); !own || !type->rung(*own))
      return fail(ErrorCode::invalid, "probe.paths: type \"" + provider.type +
                                          "\" has no probe \"" + name + "\"; it has " +
                                          joined_names(*type));
  const auto kind = kind_of(provider.probe.method);
  if (!kind)
    return {};
  if (!type->rung(*kind))
    return fail(ErrorCode::invalid, "probe method \"" + std::string(model::to_string(*kind)) +
                                        "\" does not exist for type \"" + provider.type +
                                        "\"; it has " + joined_names(*type));
  if (*kind == model::ProbeKind::chat && provider.probe.model.empty() && type->chat_model.empty())
    return fail(ErrorCode::invalid,
                "probe method \"chat\" needs probe.model for type \"" + provider.type + "\"");
  return {};
}

}  // namespace keyherd::probe
