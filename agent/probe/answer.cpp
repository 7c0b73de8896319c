#include "probe/answer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"
#include "probe/json_path.hpp"
#include "probe/reset_time.hpp"

namespace keyherd::probe {
namespace {

using nlohmann::json;

constexpr std::size_t kRawMessageBytes = 16'384;

// Streaming endpoints wrap the one error object in an array.
const json& unwrap(const json& body) {
  return body.is_array() && body.size() == 1 ? body.front() : body;
}

std::string message_of(const json& body) {
  for (const std::string_view path : {"/error/message", "/message", "/msg", "/error", "/detail"}) {
    const json* found = find(body, path);
    if (found != nullptr && found->is_string())
      return found->get<std::string>();
  }
  return body.is_string() ? body.get<std::string>() : std::string();
}

void add_code(Answer& answer, const json* value) {
  if (auto code = as_text(value))
    answer.codes.push_back(std::move(*code));
}

// google.rpc.ErrorInfo has a reason, google.rpc.QuotaFailure the ids of the quotas.
void add_google_details(Answer& answer, const json& details) {
  for (const json& detail : details) {
    add_code(answer, find(detail, "/reason"));
    const json* violations = find(detail, "/violations");
    if (violations == nullptr || !violations->is_array())
      continue;
    for (const json& violation : *violations)
      if (const auto id = as_text(find(violation, "/quotaId")))
        answer.searchable += " " + *id;
  }
}

void add_codes(Answer& answer, const json& body) {
  for (const std::string_view path :
       {"/error/code", "/error/type", "/error/status", "/error/error_type",
        "/error/details/error_code", "/error/metadata/error_type", "/error/metadata/limit_source",
        "/error/availability/code", "/code", "/type"})
    add_code(answer, find(body, path));
  if (const json* details = find(body, "/error/details"); details != nullptr && details->is_array())
    add_google_details(answer, *details);
  if (const json* metadata = find(body, "/error/metadata/provider_code");
      metadata != nullptr && !metadata->is_null())
    answer.codes.emplace_back("provider_code");  // that there is one says who refused
}

const json* first_choice(const json& body) {
  const json* choices = find(body, "/choices");
  return choices != nullptr && choices->is_array() && !choices->empty() ? &choices->front()
                                                                        : nullptr;
}

std::optional<WallTime> end_in_body(const json& body, WallTime now, std::chrono::nanoseconds skew) {
  const auto parse = [&](const json* value) -> std::optional<WallTime> {
    const auto text = as_text(value);
    return text ? parse_reset_time(*text, now, ResetUnit::seconds, skew) : std::nullopt;
  };
  if (const json* details = find(body, "/error/details");
      details != nullptr && details->is_array()) {
    for (const json& detail : *details)
      if (const auto end = parse(find(detail, "/retryDelay")))
        return end;
  }
  if (const auto end = parse(find(body, "/error/metadata/resets_at")))
    return end;
  return parse(find(body, "/error/availability/retry_after"));
}

// "Please retry after 12 seconds.", as Azure writes besides its header.
std::optional<WallTime> wait_in_message(std::string_view message, WallTime now) {
  constexpr std::string_view kBefore = "retry after ";
  const std::string lower = to_lower(message);
  const std::size_t found = lower.find(kBefore);
  if (found == std::string::npos)
    return std::nullopt;
  std::string_view rest = std::string_view(lower).substr(found + kBefore.size());
  const std::size_t end = std::min(rest.find_first_not_of("0123456789."), rest.size());
  if (!rest.substr(end).starts_with(" second"))
    return std::nullopt;
  return parse_reset_time(rest.substr(0, end), now);
}

}  // namespace

Answer take_apart(const net::HttpResponse& response) {
  Answer answer;
  answer.status = response.status;
  const std::string_view text = trim(response.body);
  auto parsed = parse_json(text);
  if (!parsed) {
    // A page or plain text: only plain text is worth showing.
    if (!text.starts_with('<'))
      answer.message = std::string(text.substr(0, kRawMessageBytes));
    answer.searchable = answer.message;
    return answer;
  }
  answer.body = std::make_shared<const json>(std::move(*parsed));
  const json& body = unwrap(*answer.body);
  answer.message = message_of(body);
  answer.searchable = answer.message;
  add_codes(answer, body);
  return answer;
}

bool holds_error(const json& body) {
  const json* error = find(unwrap(body), "/error");
  if (error != nullptr && !error->is_null())
    return true;
  const json* choice = first_choice(body);
  if (choice == nullptr)
    return false;
  return find(*choice, "/error") != nullptr ||
         as_text(find(*choice, "/finish_reason")).value_or("") == "error";
}

void demote(Answer& answer) {
  answer.status = 0;
  const json* choice = first_choice(*answer.body);
  if (const json* error = choice != nullptr ? find(*choice, "/error") : nullptr) {
    const json wrapped = json::object({{"error", *error}});
    answer.message = message_of(wrapped);
    answer.searchable = answer.message;
    add_codes(answer, wrapped);
  }
  for (const std::string& code : answer.codes) {
    const auto number = parse_int(code);
    if (number && *number >= 400 && *number <= 599) {
      answer.status = static_cast<int>(*number);
      return;
    }
  }
}

std::optional<WallTime> stated_end(const net::HttpResponse& response, const Answer& answer,
                                   WallTime now) {
  const auto skew = clock_skew(response, now);
  if (const auto end =
          parse_reset_time(response.header("retry-after-ms"), now, ResetUnit::milliseconds, skew))
    return end;
  if (const auto end =
          parse_reset_time(response.header("retry-after"), now, ResetUnit::seconds, skew))
    return end;
  if (answer.body != nullptr)
    if (const auto end = end_in_body(unwrap(*answer.body), now, skew))
      return end;
  return wait_in_message(answer.message, now);
}

std::optional<WallTime> time_in_message(std::string_view message) {
  constexpr std::string_view kShape = "dddd-dd-dd";
  const auto is_date = [&](std::size_t from) {
    return std::equal(
        kShape.begin(), kShape.end(), message.begin() + static_cast<long>(from),
        [](char shape, char c) { return shape == 'd' ? c >= '0' && c <= '9' : shape == c; });
  };
  for (std::size_t from = 0; from + kShape.size() <= message.size(); ++from) {
    if (!is_date(from))
      continue;
    std::string_view rest = message.substr(from + kShape.size());
    if (const std::size_t skip = rest.find_first_of("0123456789"); skip <= 4)
      rest.remove_prefix(skip);
    std::string time(rest.substr(0, std::min(rest.find_first_not_of("0123456789:"), rest.size())));
    if (time.size() == 5)
      time += ":00";
    if (const auto parsed =
            parse_rfc3339(std::string(message.substr(from, kShape.size())) + "T" + time + "Z"))
      return *parsed;
  }
  return std::nullopt;
}

}  // namespace keyherd::probe
