#include "probe/request.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"

namespace keyherd::probe {
namespace {

using nlohmann::json;

// Reasoning models fail, rather than stop, when they have fewer tokens of room.
constexpr int kReasoningTokens = 16;

// gpt-5… and o1, o3-mini… reject max_tokens. "openai/gpt-5" is how routers name them.
bool is_reasoning_model(std::string_view model) {
  const std::string_view name = model.substr(model.rfind('/') + 1);
  return name.starts_with("gpt-5") ||
         (name.size() >= 2 && name[0] == 'o' && name[1] >= '1' && name[1] <= '9');
}

json openai_body(const ProviderType& type, const model::ProbeSettings& settings,
                 const std::string& model) {
  json body = {{"model", model},
               {"messages", json::array({{{"role", "user"}, {"content", "ping"}}})}};
  const bool reasons = is_reasoning_model(model);
  LimitField field = settings.limit_field.value_or(type.limit_field);
  if (field == LimitField::automatic)
    field = reasons ? LimitField::max_completion_tokens : LimitField::max_tokens;
  body[std::string(model::to_string(field))] =
      settings.limit_tokens.value_or(reasons ? kReasoningTokens : 1);
  if (type.disable_thinking)
    body["thinking"] = {{"type", "disabled"}};
  return body;
}

std::string chat_body(const ProviderType& type, const model::ProbeSettings& settings,
                      const std::string& model) {
  const int tokens = settings.limit_tokens.value_or(1);
  switch (type.shape) {
    case ChatShape::openai:
      return dump_json(openai_body(type, settings, model));
    case ChatShape::anthropic:
      return dump_json({{"model", model},
                        {"max_tokens", tokens},
                        {"messages", json::array({{{"role", "user"}, {"content", "ping"}}})}});
    case ChatShape::gemini:
      return dump_json(
          {{"contents",
            json::array({{{"role", "user"}, {"parts", json::array({{{"text", "ping"}}})}}})},
           {"generationConfig",
            {{"maxOutputTokens", tokens}, {"thinkingConfig", {{"thinkingBudget", 0}}}}}});
  }
  return {};
}

std::string with_model(std::string path, const std::string& model) {
  constexpr std::string_view kModel = "{model}";
  if (const std::size_t at = path.find(kModel); at != std::string::npos)
    path.replace(at, kModel.size(), url_encode(model));
  return path;
}

std::string_view base_of(const model::Provider& provider) {
  std::string_view base = provider.base_url;
  if (base.ends_with('/'))
    base.remove_suffix(1);
  return base;
}

std::string url_of(const model::Provider& provider, model::ProbeKind kind, const Rung& rung,
                   const std::string& model) {
  // A path of the configuration stands after base_url as it is.
  const auto own = provider.probe.paths.find(std::string(model::to_string(kind)));
  return own != provider.probe.paths.end()
             ? std::string(base_of(provider)) + with_model(own->second, model)
             : probe::url_of(provider, rung, model);
}

}  // namespace

std::string probe_model(const ProviderType& type, const model::Provider& provider) {
  return provider.probe.model.empty() ? std::string(type.chat_model) : provider.probe.model;
}

std::string url_of(const model::Provider& provider, const Rung& rung, const std::string& model) {
  constexpr std::string_view kVersion = "/v1";
  std::string_view base = base_of(provider);
  if (rung.at_root && base.ends_with(kVersion))
    base.remove_suffix(kVersion.size());
  return std::string(base) + with_model(std::string(rung.path), model);
}

net::HttpRequest provider_request(const ProviderType& type, const model::Provider& provider,
                                  const Secret& secret) {
  net::HttpRequest request;
  for (const auto& [name, value] : type.headers)
    request.headers.emplace_back(name, value);
  for (const auto& [name, value] : provider.headers)
    request.headers.emplace_back(name, value);
  request.secret = &secret;
  request.secret_header = provider.auth_header.value_or(std::string(type.auth_header));
  request.secret_prefix =
      provider.auth_header ? provider.auth_prefix.value_or("") : std::string(type.auth_prefix);
  request.timeout = std::chrono::ceil<std::chrono::milliseconds>(provider.probe.timeout);
  request.ca_file = provider.ca_file;
  return request;
}

net::HttpRequest build_request(const ProviderType& type, const model::Provider& provider,
                               model::ProbeKind kind, const Secret& secret) {
  const Rung& rung = *type.rung(kind);
  const std::string model = probe_model(type, provider);
  net::HttpRequest request = provider_request(type, provider, secret);
  request.method = rung.method;
  request.url = url_of(provider, kind, rung, model);
  if (kind == model::ProbeKind::chat)
    request.body = chat_body(type, provider.probe, model);
  else if (rung.method == "POST")
    request.body = "{}";
  return request;
}

}  // namespace keyherd::probe
