#include "api/usage_question.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "base/time_text.hpp"
#include "cron/calendar.hpp"

namespace keyherd::api {

namespace {

struct NamedColumn {
  std::string_view name;
  UsageColumn column;
};
constexpr std::array<NamedColumn, 8> kColumns{{{"key", UsageColumn::key},
                                               {"provider", UsageColumn::provider},
                                               {"pool", UsageColumn::pool},
                                               {"group", UsageColumn::group},
                                               {"model", UsageColumn::model},
                                               {"hour", UsageColumn::hour},
                                               {"day", UsageColumn::day},
                                               {"month", UsageColumn::month}}};
constexpr std::string_view kLabel = "label.";
constexpr std::string_view kPossible =
    "key, provider, pool, group, model, label.NAME, hour, day or month";

// "2026-11-23" and "2026-11" as the first instant of that day; nothing for other texts.
std::optional<std::string> first_day(std::string_view text) {
  constexpr std::string_view kDay = "9999-99-99";
  const auto like = [](std::string_view word, std::string_view pattern) {
    return word.size() == pattern.size() &&
           std::equal(word.begin(), word.end(), pattern.begin(),
                      [](char c, char p) { return p == '9' ? c >= '0' && c <= '9' : c == p; });
  };
  if (like(text, kDay))
    return std::string(text);
  if (like(text, kDay.substr(0, 7)))
    return std::string(text) + "-01";
  return std::nullopt;
}

Result<WallTime> start_of_day(const std::string& date, const std::string& zone) {
  const auto noon = parse_rfc3339(date + "T12:00:00Z");
  if (!noon)
    return fail(ErrorCode::invalid, "there is no day " + date);
  // A zone is at most 14 hours away: the day is that of noon in UTC, or one beside it.
  for (const int days : {0, -1, 1}) {
    KH_ASSIGN(const cron::Window day, cron::window_at(cron::CalendarUnit::day, zone,
                                                      *noon + std::chrono::hours(24 * days)));
    KH_ASSIGN(const std::string local, cron::format_local(day.start, zone));
    if (local.starts_with(date))
      return day.start;
  }
  return fail(ErrorCode::invalid, "there is no " + date + " in " + zone);
}

}  // namespace

Result<UsageTerm> parse_usage_term(std::string_view text) {
  const std::string_view word = trim(text);
  for (const NamedColumn& named : kColumns) {
    if (named.name == word)
      return UsageTerm{named.column, "", std::string(word)};
  }
  if (word.starts_with(kLabel) && word.size() > kLabel.size())
    return UsageTerm{UsageColumn::label, std::string(word.substr(kLabel.size())),
                     std::string(word)};
  return fail(ErrorCode::invalid,
              "usage has no column '" + printable(word, 40) + "'; use " + std::string(kPossible));
}

Result<std::vector<UsageTerm>> parse_usage_terms(std::string_view text) {
  std::vector<UsageTerm> terms;
  for (const std::string_view part : split(text, ',')) {
    KH_ASSIGN(UsageTerm term, parse_usage_term(part));
    for (const UsageTerm& other : terms) {
      if (other.text == term.text)
        return fail(ErrorCode::invalid, "the column '" + term.text + "' is named twice");
    }
    terms.push_back(std::move(term));
  }
  return terms;
}

Result<UsageFilter> parse_usage_filter(std::string_view term, std::string_view values) {
  KH_ASSIGN(UsageTerm column, parse_usage_term(term));
  if (column.is_time())
    return fail(ErrorCode::invalid,
                "usage cannot be chosen by '" + column.text + "'; use from and to");
  UsageFilter filter{std::move(column), {}};
  for (const std::string_view value : split(values, ','))
    filter.values.emplace(trim(value));
  return filter;
}

Status check_timezone(const std::string& zone) {
  if (cron::is_timezone(zone))
    return {};
  return fail(ErrorCode::invalid, "'" + printable(zone, 64) +
                                      "' is not a time zone; use an IANA name like "
                                      "Asia/Singapore, or UTC");
}

Result<WallTime> parse_usage_time(std::string_view text, const std::string& zone, WallTime now) {
  if (const auto date = first_day(text))
    return start_of_day(*date, zone);
  if (const auto age = parse_duration(text))
    return now - *age;
  auto time = parse_rfc3339(text);
  if (!time)
    return fail(ErrorCode::invalid, "'" + printable(text, 40) +
                                        "' is not a time; write 2026-11-23, 2026-11, "
                                        "2026-11-23T10:00:00Z, or how long ago: 7d");
  return time;
}

}  // namespace keyherd::api
