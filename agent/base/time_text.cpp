#include "base/time_text.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>

#include "base/text.hpp"

namespace keyherd {

namespace {

using std::chrono::nanoseconds;

// Reads exactly `count` digits at `at`, moving it on.
std::optional<int> digits(std::string_view text, std::size_t& at, std::size_t count) {
  if (at + count > text.size())
    return std::nullopt;
  const auto value = parse_int(text.substr(at, count));
  if (!value)
    return std::nullopt;
  at += count;
  return static_cast<int>(*value);
}

bool skip(std::string_view text, std::size_t& at, std::string_view any_of) {
  if (at >= text.size() || any_of.find(text[at]) == std::string_view::npos)
    return false;
  ++at;
  return true;
}

// The fraction after the seconds, to nanoseconds; further digits are read and dropped.
nanoseconds fraction(std::string_view text, std::size_t& at) {
  std::int64_t nanos = 0;
  std::int64_t scale = 100'000'000;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    nanos += (text[at] - '0') * scale;
    scale /= 10;
    ++at;
  }
  return nanoseconds(nanos);
}

std::optional<std::chrono::minutes> zone_offset(std::string_view text, std::size_t& at) {
  if (skip(text, at, "Zz"))
    return std::chrono::minutes(0);
  const bool negative = at < text.size() && text[at] == '-';
  if (!skip(text, at, "+-"))
    return std::nullopt;
  const auto hours = digits(text, at, 2);
  skip(text, at, ":");
  const auto minutes = digits(text, at, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59)
    return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return negative ? -offset : offset;
}

struct Fields {
  int year, month, day, hour, minute, second;
};

std::optional<Fields> date_and_time(std::string_view text, std::size_t& at) {
  Fields f{};
  const auto read = [&](int& into, std::size_t count) {
    const auto value = digits(text, at, count);
    into = value.value_or(0);
    return value.has_value();
  };
  if (read(f.year, 4) && skip(text, at, "-") && read(f.month, 2) && skip(text, at, "-") &&
      read(f.day, 2) && skip(text, at, "Tt ") && read(f.hour, 2) && skip(text, at, ":") &&
      read(f.minute, 2) && skip(text, at, ":") && read(f.second, 2))
    return f;
  return std::nullopt;
}

struct UnitName {
  std::string_view name;
  std::int64_t nanos;
};
// Longest spellings first, so that "ms" is not read as minutes.
constexpr std::array<UnitName, 8> kUnits{{{"ns", 1},
                                          {"us", 1'000},
                                          {"ms", 1'000'000},
                                          {"s", 1'000'000'000},
                                          {"m", 60'000'000'000},
                                          {"h", 3'600'000'000'000},
                                          {"d", 86'400'000'000'000},
                                          {"w", 604'800'000'000'000}}};
constexpr double kLongest = 100.0 * 365.25 * 86400e9;

Error bad_duration(std::string_view text) {
  return Error{ErrorCode::invalid,
               fmt::format("'{}' is not a duration; write it like \"30s\", \"5m\" "
                           "or \"1h30m\"",
                           printable(text, 40))};
}

}  // namespace

std::string format_rfc3339(WallTime time) {
  std::string text = format_event_time(time);
  if (text.ends_with(".000Z"))
    text.replace(text.size() - 5, 4, "");
  return text;
}

std::string format_event_time(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(seconds - day);
  const auto millis = std::chrono::floor<std::chrono::milliseconds>(time - seconds).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     millis);
}

Result<WallTime> parse_rfc3339(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(ErrorCode::invalid, fmt::format("'{}' is not a time: {}; write it like "
                                                "2026-11-23T10:15:30Z",
                                                printable(text, 40), why));
  };
  std::size_t at = 0;
  const auto fields = date_and_time(text, at);
  if (!fields)
    return bad("not date and time");
  nanoseconds part{0};
  if (skip(text, at, ".,"))
    part = fraction(text, at);
  const auto offset = zone_offset(text, at);
  if (!offset)
    return bad("no time zone");
  if (at != text.size())
    return bad("text after the end");
  const std::chrono::year_month_day date{std::chrono::year(fields->year),
                                         std::chrono::month(static_cast<unsigned>(fields->month)),
                                         std::chrono::day(static_cast<unsigned>(fields->day))};
  if (!date.ok() || fields->hour > 23 || fields->minute > 59 || fields->second > 60)
    return bad("no such date or time");
  if (fields->year < 1970 || fields->year > 2261)
    return bad("outside the years 1970 to 2261");
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(fields->hour) +
         std::chrono::minutes(fields->minute) + std::chrono::seconds(fields->second) + part -
         *offset;
}

Result<nanoseconds> parse_duration(std::string_view text) {
  double total = 0;
  std::int64_t exact = 0;
  std::size_t at = 0;
  if (text.empty())
    return fail(bad_duration(text));
  while (at < text.size()) {
    const std::size_t start = at;
    while (at < text.size() && ((text[at] >= '0' && text[at] <= '9') || text[at] == '.'))
      ++at;
    const std::string number(text.substr(start, at - start));
    const UnitName* unit = nullptr;
    for (const UnitName& candidate : kUnits) {
      if (text.substr(at, candidate.name.size()) == candidate.name) {
        unit = &candidate;
        break;
      }
    }
    if (number.empty() || number.size() > 15 || number.front() == '.' || number.back() == '.' ||
        number.find('.') != number.rfind('.') || unit == nullptr)
      return fail(bad_duration(text));
    at += unit->name.size();
    const double nanos = std::stod(number) * static_cast<double>(unit->nanos);
    total += nanos;
    if (total > kLongest)
      return fail(ErrorCode::invalid,
                  fmt::format("'{}' is longer than 100 years", printable(text, 40)));
    const auto whole = parse_int(number);
    exact += whole ? *whole * unit->nanos : std::llround(nanos);
  }
  return nanoseconds(exact);
}

std::string format_duration(nanoseconds duration) {
  std::int64_t rest = duration.count();
  if (rest == 0)
    return "0s";
  std::string text;
  constexpr std::array<std::size_t, 7> kOrder{6, 5, 4, 3, 2, 1, 0};  // d h m s ms us ns
  for (const std::size_t index : kOrder) {
    const std::int64_t count = rest / kUnits[index].nanos;
    if (count != 0)
      text += fmt::format("{}{}", count, kUnits[index].name);
    rest -= count * kUnits[index].nanos;
  }
  return text;
}

std::string describe_duration(nanoseconds duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  if (std::abs(seconds) < 60)
    return std::abs(seconds) < 10 && seconds != std::floor(seconds)
               ? fmt::format("{:.1f}s", seconds)
               : fmt::format("{:.0f}s", seconds);
  const auto total = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
  if (total < 3'600)
    return fmt::format("{}m {}s", total / 60, total % 60);
  if (total < 86'400)
    return fmt::format("{}h {}m", total / 3'600, total / 60 % 60);
  return fmt::format("{}d {}h", total / 86'400, total / 3'600 % 24);
}

double to_unix_seconds(WallTime time) {
  // Seconds and the rest apart: all nanoseconds since the epoch do not fit a double.
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  return static_cast<double>(seconds.time_since_epoch().count()) +
         std::chrono::duration<double>(time - seconds).count();
}

std::int64_t to_unix_nanos(WallTime time) {
  return std::chrono::duration_cast<nanoseconds>(time.time_since_epoch()).count();
}

WallTime from_unix_nanos(std::int64_t nanos) {
  return WallTime(std::chrono::duration_cast<WallTime::duration>(nanoseconds(nanos)));
}

}  // namespace keyherd
