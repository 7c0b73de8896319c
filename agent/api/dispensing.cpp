#include "api/dispensing.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>

#include "api/responses.hpp"
#include "api/views.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"

namespace keyherd::api {

using net::ServerRequest;
using net::ServerResponse;
using nlohmann::json;

namespace {

constexpr std::size_t kMostExcluded = 100;
constexpr std::size_t kLongestText = 256;
constexpr std::int64_t kMostTokens = 1'000'000'000;
constexpr std::int64_t kLongestLatencyMs = 86'400'000;
constexpr double kMostUsd = 1'000'000;
constexpr double kLongestRetry = 86'400;

Error bad_field(std::string_view name, std::string_view what) {
  return {ErrorCode::invalid, "\"" + std::string(name) + "\" must be " + std::string(what)};
}

// One field of a report: checks its value, and says what it must be.
struct ReportField {
  std::string_view name;
  std::string_view must_be;
  bool (*is_good)(const json&);
  bool in_line = true;  // a field of a usage line, too
};

bool is_text(const json& value) {
  return value.is_string() && value.get_ref<const std::string&>().size() <= kLongestText;
}
bool is_count(const json& value, std::int64_t most) {
  return value.is_number_integer() && value >= 0 && value <= most;
}
bool is_tokens(const json& value) {
  return is_count(value, kMostTokens);
}

const std::array<ReportField, 12>& report_fields() {
  static const std::array<ReportField, 12> kFields{{
      {"key", "the id of the key", is_text},
      {"status", "the HTTP status, or 0 when no answer came",
       [](const json& value) { return is_count(value, 599) && (value == 0 || value >= 100); }},
      {"model", "text of at most 256 bytes", is_text},
      {"request_id", "text of at most 256 bytes", is_text},
      {"ts", "a time (RFC 3339)",
       [](const json& value) {
         return value.is_string() && parse_rfc3339(value.get_ref<const std::string&>());
       }},
      {"input_tokens", "a whole number from 0 on", is_tokens},
      {"output_tokens", "a whole number from 0 on", is_tokens},
      {"cached_input_tokens", "a whole number from 0 on", is_tokens},
      {"latency_ms", "a whole number of milliseconds, a day at most",
       [](const json& value) { return is_count(value, kLongestLatencyMs); }},
      {"cost_usd", "a number of dollars",
       [](const json& value) { return value.is_number() && value >= 0 && value <= kMostUsd; }},
      {"retry_after", "a number of seconds, a day at most",
       [](const json& value) { return value.is_number() && value >= 0 && value <= kLongestRetry; },
       false},
      {"verdict", "the name of a verdict",
       [](const json& value) {
         return value.is_string() &&
                model::verdict_from_string(value.get_ref<const std::string&>()).has_value();
       },
       false},
  }};
  return kFields;
}

Result<json> read_object(const std::string& body) {
  constexpr std::size_t kDepth = 4;
  KH_ASSIGN(json value, parse_json(body, kDepth));
  if (!value.is_object())
    return fail(ErrorCode::invalid, "the body must be a JSON object");
  return value;
}

ServerResponse handed_out(const std::string& pool, const HandedOut& out, WallTime now) {
  if (!out.key.empty())
    return respond(200, handed_out_json(pool, out));
  ServerResponse response = respond_error(503, "unavailable", out.why_none);
  const auto wait = std::chrono::ceil<std::chrono::seconds>(out.ask_again - now);
  response.headers.emplace_back("Retry-After",
                                std::to_string(std::max<std::int64_t>(1, wait.count())));
  return response;
}

ServerResponse reported(const Result<bool>& outcome) {
  if (outcome)
    return respond(200, {{"saved", true}});
  if (outcome.error().code == ErrorCode::unavailable)
    return respond_try_later(outcome.error().message + "; send the same report again later");
  return respond_error(outcome.error());
}

}  // namespace

Status read_exclude(const std::string& body, std::vector<std::string>& exclude) {
  if (body.empty() || trim(body).empty())
    return {};
  KH_ASSIGN(const json value, read_object(body));
  for (const auto& [name, field] : value.items()) {
    const bool is_list =
        field.is_array() && field.size() <= kMostExcluded &&
        std::all_of(field.begin(), field.end(), [](const json& one) { return one.is_string(); });
    if (name != "exclude" || !is_list)
      return fail(ErrorCode::invalid, "'" + printable(name, 40) +
                                          "' is not known or of the wrong type; the body may hold "
                                          "\"exclude\", a list of at most 100 key ids");
    exclude = field.get<std::vector<std::string>>();
  }
  return {};
}

Result<UseReport> read_report(const std::string& body, WallTime now) {
  KH_ASSIGN(json value, read_object(body));
  for (const char* needed : {"key", "status"}) {
    if (!value.contains(needed))
      return fail(ErrorCode::invalid, "\"" + std::string(needed) + "\" is missing");
  }
  json line = json::object();
  for (const auto& [name, field] : value.items()) {
    const auto known = std::find_if(report_fields().begin(), report_fields().end(),
                                    [&name = name](const auto& one) { return one.name == name; });
    if (known == report_fields().end())
      return fail(ErrorCode::invalid, "'" + printable(name, 40) + "' is not a field of a report");
    if (!known->is_good(field))
      return fail(bad_field(known->name, known->must_be));
    if (known->in_line)
      line[name] = std::move(field);
  }
  UseReport report;
  report.key = line["key"].get<std::string>();
  report.http_status = line["status"].get<int>();
  report.input_tokens = line.value("input_tokens", std::int64_t{0});
  report.output_tokens = line.value("output_tokens", std::int64_t{0});
  if (value.contains("verdict"))
    report.verdict = model::verdict_from_string(value["verdict"].get<std::string>());
  if (value.contains("retry_after"))
    report.retry_after = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(value["retry_after"].get<double>()));
  if (!line.contains("ts"))
    line["ts"] = format_rfc3339(now);
  report.line = dump_json(line) + "\n";
  return report;
}

net::Answer next_key(const ApiParts& parts, const ServerRequest& request) {
  std::vector<std::string> exclude;
  if (auto bad = read_exclude(request.body, exclude); !bad)
    return respond_error(bad.error());
  const std::string& pool = request.captures.at(0);
  return when_ready<HandedOut>(parts.clock, parts.control.next(pool, std::move(exclude)),
                               [pool, &clock = parts.clock](const HandedOut& out) {
                                 return handed_out(pool, out, clock.now().wall);
                               });
}

net::Answer report_use(const ApiParts& parts, const ServerRequest& request) {
  auto report = read_report(request.body, parts.clock.now().wall);
  if (!report)
    return respond_error(report.error());
  return when_ready<bool>(
      parts.clock, parts.control.report(request.captures.at(0), std::move(*report)), reported, [] {
        return respond_try_later("the report is not saved yet; send the same report again later");
      });
}

}  // namespace keyherd::api
