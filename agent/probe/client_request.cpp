#include "probe/client_request.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "probe/answer.hpp"
#include "probe/request.hpp"

namespace keyherd::probe {

using nlohmann::json;

namespace {

// A stream's last events: the one with the tokens is among them.
constexpr std::size_t kEventsLookedAt = 8;

std::string model_in(const std::string& body) {
  const auto value = parse_json(body);
  if (!value || !value->is_object() || !value->contains("model") || !(*value)["model"].is_string())
    return "";
  return (*value)["model"].get<std::string>();
}

Reading read_chat(const ProviderType& type, std::string_view text) {
  const auto body = parse_json(text);
  const auto& rung = type.rung(model::ProbeKind::chat);
  if (!body || !body->is_object() || holds_error(*body) || !rung || rung->read == nullptr)
    return {};
  return rung->read(*body);
}

// An event tells its tokens beside something else than a whole answer.
Reading read_event(std::string_view text) {
  Reading reading;
  const auto event = parse_json(text);
  if (!event || !event->is_object())
    return reading;
  const auto count = [&](const char* pointer) -> std::int64_t {
    const json::json_pointer place(pointer);
    const bool counts = event->contains(place) && (*event)[place].is_number_unsigned();
    return counts ? (*event)[place].get<std::int64_t>() : 0;
  };
  reading.input_tokens = count("/usage/prompt_tokens") + count("/usage/input_tokens") +
                         count("/usageMetadata/promptTokenCount");
  reading.output_tokens = count("/usage/completion_tokens") + count("/usage/output_tokens") +
                          count("/usageMetadata/candidatesTokenCount");
  return reading;
}

bool has_tokens(const Reading& reading) {
  return reading.input_tokens > 0 || reading.output_tokens > 0;
}

}  // namespace

Result<net::HttpRequest> client_request(const model::Provider& provider, const Secret& secret,
                                        const std::optional<std::string>& path, std::string body) {
  const ProviderType* type = find_provider_type(provider.type);
  if (type == nullptr || !type->rung(model::ProbeKind::chat))
    return fail(ErrorCode::invalid,
                "provider " + provider.id + ": its type " + provider.type + " takes no chats");
  Rung rung = *type->rung(model::ProbeKind::chat);
  if (path) {
    rung.path = *path;
    rung.at_root = path->starts_with("/v1/");
  }
  net::HttpRequest request = provider_request(*type, provider, secret);
  request.method = "POST";
  request.url = url_of(provider, rung, model_in(body));
  request.body = std::move(body);
  return request;
}

Classified judge_answer(const model::Provider& provider, const net::HttpResponse& response,
                        WallTime now) {
  const ProviderType& type = *find_provider_type(provider.type);
  const auto body = parse_json(response.body);
  const bool is_success = response.status >= 200 && response.status < 300;
  if (is_success && !(body && body->is_object() && holds_error(*body))) {
    Classified well;
    well.reading = used_tokens(provider, response.body);
    well.reading.verdict = model::Verdict::ok;
    return well;
  }
  return classify(type, model::ProbeKind::chat, response, now, provider.rules);
}

Reading used_tokens(const model::Provider& provider, std::string_view body) {
  const ProviderType& type = *find_provider_type(provider.type);
  Reading whole = read_chat(type, body);
  constexpr std::string_view kData = "data:";
  std::size_t end = body.size();
  for (std::size_t event = 0; event < kEventsLookedAt && !has_tokens(whole); ++event) {
    const std::size_t at = body.substr(0, end).rfind(kData);
    if (at == std::string_view::npos)
      break;
    const std::string_view line = body.substr(at + kData.size(), end - at - kData.size());
    whole = read_event(trim(line.substr(0, line.find('\n'))));
    end = at;
  }
  return whole;
}

}  // namespace keyherd::probe
