#include "probe/classifier.hpp"

#include <date/tz.h>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "probe/answer.hpp"
#include "probe/rules.hpp"

namespace keyherd::probe {
namespace {

using model::ProbeKind;
using model::Verdict;

// "a*b": a, and b somewhere after it. Both sides in lower case.
bool holds_pattern(std::string_view text, std::string_view pattern) {
  for (const std::string_view part : split(pattern, '*')) {
    const std::size_t found = text.find(part);
    if (found == std::string_view::npos)
      return false;
    text.remove_prefix(found + part.size());
  }
  return true;
}

// What a matching line of any table says.
struct Finding {
  Verdict verdict = Verdict::server_error;
  Reset reset = Reset::none;
  std::optional<model::VerdictScope> scope;
};

template <class AnyRule>
bool matches(const AnyRule& rule, const Answer& answer, std::string_view lower_text) {
  const bool status = rule.statuses.empty() ||
                      std::any_of(rule.statuses.begin(), rule.statuses.end(), [&](StatusRange r) {
                        return answer.status >= r.from && answer.status <= r.to;
                      });
  if (!status)
    return false;
  const auto names_code = [&](std::string_view code) {
    return std::any_of(answer.codes.begin(), answer.codes.end(),
                       [&](const std::string& own) { return equals_ignore_case(own, code); });
  };
  if (!rule.codes.empty() && !std::any_of(rule.codes.begin(), rule.codes.end(), names_code))
    return false;
  return rule.texts.empty() ||
         std::any_of(rule.texts.begin(), rule.texts.end(), [&](std::string_view pattern) {
           return holds_pattern(lower_text, to_lower(pattern));
         });
}

template <class Rules>
std::optional<Finding> first_in(const Rules& rules, const Answer& answer,
                                std::string_view lower_text) {
  for (const auto& rule : rules)
    if (matches(rule, answer, lower_text))
      return Finding{rule.verdict, rule.reset, rule.scope};
  return std::nullopt;
}

// Every answer finds something: the generic rules cover all statuses of errors.
Finding first_match(std::span<const model::ErrorRule> own, const ProviderType& type,
                    const Answer& answer) {
  const std::string text = to_lower(answer.searchable);
  auto finding = first_in(own, answer, text);
  if (!finding)
    finding = first_in(type.rules, answer, text);
  if (!finding)
    finding = first_in(generic_rules(), answer, text);
  return finding.value_or(Finding{});
}

WallTime next_month(WallTime now) {
  const std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(now));
  return std::chrono::sys_days((today.year() / today.month() + std::chrono::months(1)) / 1);
}

// Gemini's day begins at midnight in California. Nothing where the system has no such zone.
std::optional<WallTime> next_pacific_midnight(WallTime now) {
  try {
    const date::time_zone* zone = date::locate_zone("America/Los_Angeles");
    const auto local = zone->to_local(std::chrono::floor<std::chrono::seconds>(now));
    const auto midnight = date::floor<date::days>(local) + date::days(1);
    return zone->to_sys(midnight, date::choose::earliest);
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

constexpr std::chrono::hours kBeijingAhead{8};

std::optional<WallTime> ruled_end(Reset reset, const Answer& answer, WallTime now) {
  switch (reset) {
    case Reset::none:
      return std::nullopt;
    case Reset::next_month_utc:
      return next_month(now);
    case Reset::midnight_pacific:
      return next_pacific_midnight(now);
    case Reset::in_message:
      return time_in_message(answer.message);
    case Reset::in_message_beijing:
      if (const auto time = time_in_message(answer.message))
        return *time - kBeijingAhead;
      return std::nullopt;
  }
  return std::nullopt;
}

bool has_an_end(Verdict verdict) {
  return verdict == Verdict::rate_limited || verdict == Verdict::overloaded ||
         verdict == Verdict::server_error || verdict == Verdict::quota_exhausted;
}

std::string described(const Answer& answer, int http_status) {
  if (!answer.message.empty())
    return answer.message;
  if (http_status >= 300 && http_status < 400)
    return "redirected (HTTP " + std::to_string(http_status) + "): not the API; check base_url";
  return "HTTP " + std::to_string(http_status) +
         (answer.body != nullptr ? " without a message" : " with a body that is not JSON");
}

Classified classify_error(const ProviderType& type, std::span<const model::ErrorRule> own,
                          const Answer& answer, const net::HttpResponse& response, WallTime now) {
  Classified result;
  result.reading.message = described(answer, response.status);
  const Finding finding = first_match(own, type, answer);
  result.reading.verdict = finding.verdict;
  result.reading.scope = finding.scope;
  if (!has_an_end(result.reading.verdict))
    return result;
  // A day's quota ends when the rule says, whatever short wait comes with it.
  result.retry_at = ruled_end(finding.reset, answer, now);
  if (!result.retry_at)
    result.retry_at = stated_end(response, answer, now);
  if (result.reading.verdict == Verdict::rate_limited && result.retry_at &&
      *result.retry_at - now > type.quota_after)
    result.reading.verdict = Verdict::quota_exhausted;
  return result;
}

// auth: the empty request is refused for what it lacks, so the key was accepted before that.
bool proves_by_refusal(Verdict verdict, const Answer& answer) {
  if (answer.body == nullptr || !answer.body->is_object())
    return false;
  if (verdict == Verdict::bad_request)
    return answer.status == 400 || answer.status == 422;
  return verdict == Verdict::model_missing && answer.status != 404;
}

void adapt_to_probe(const Rung& rung, ProbeKind kind, const Answer& answer, Classified& result) {
  Reading& reading = result.reading;
  if (kind == ProbeKind::auth && rung.read == nullptr &&
      proves_by_refusal(reading.verdict, answer)) {
    reading.verdict = Verdict::ok;
    reading.message.clear();
  } else if (kind != ProbeKind::chat && reading.verdict == Verdict::model_missing) {
    // No model was asked for: it is the path that is not there.
    reading.verdict = Verdict::bad_request;
    reading.message = "the endpoint does not have this probe (" + std::string(rung.path) +
                      "); check base_url or choose another probe method: " + reading.message;
  }
}

}  // namespace

Classified classify(const ProviderType& type, ProbeKind kind, const net::HttpResponse& response,
                    WallTime now, std::span<const model::ErrorRule> own) {
  const auto& rung = type.rung(kind);
  if (!rung) {
    Classified none;
    none.reading.verdict = Verdict::bad_request;
    none.reading.message = "no such probe for this type";
    return none;
  }
  Answer answer = take_apart(response);
  if (response.status == 200 && answer.body != nullptr && !holds_error(*answer.body)) {
    Classified result;
    if (rung->read == nullptr)
      result.reading.message = "a 200 where a refusal was due";
    else
      result.reading = rung->read(*answer.body);
    return result;
  }
  if (response.status == 200 && answer.body != nullptr)
    demote(answer);
  Classified result = classify_error(type, own, answer, response, now);
  adapt_to_probe(*rung, kind, answer, result);
  return result;
}

Classified classify_failure(const ProviderType& type, ProbeKind kind, const Error& error) {
  Classified result;
  Reading& reading = result.reading;
  reading.message = error.message;
  reading.verdict = Verdict::network;
  switch (error.code) {
    case ErrorCode::invalid:
      reading.verdict = Verdict::bad_request;
      break;
    case ErrorCode::timeout:
      if (kind == ProbeKind::chat && type.chat_timeout_is_overload)
        reading.verdict = Verdict::overloaded;
      break;
    case ErrorCode::too_large:
    case ErrorCode::corrupt:
      reading.verdict = Verdict::server_error;
      break;
    case ErrorCode::cancelled:
      reading.message = "cancelled";
      break;
    case ErrorCode::not_found:
    case ErrorCode::conflict:
    case ErrorCode::denied:
    case ErrorCode::unavailable:
    case ErrorCode::no_space:
    case ErrorCode::internal:
      break;
  }
  return result;
}

}  // namespace keyherd::probe
