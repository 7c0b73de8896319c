#include "probe/reset_time.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "base/text.hpp"
#include "base/time_text.hpp"

namespace keyherd::probe {
namespace {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;
using std::chrono::seconds;

struct Unit {
  std::string_view name;
  double nanos;
};
// Longer names before those that begin them.
constexpr std::array<Unit, 9> kUnits{{{"ns", 1},
                                      {"us", 1e3},
                                      {"µs", 1e3},
                                      {"μs", 1e3},
                                      {"ms", 1e6},
                                      {"s", 1e9},
                                      {"m", 60e9},
                                      {"h", 3600e9},
                                      {"d", 86400e9}}};

// Digits, then perhaps a point and digits; removes what it took from the front of text.
std::optional<double> take_number(std::string_view& text) {
  const auto digits = [&](std::size_t from) {
    return std::min(text.find_first_not_of("0123456789", from), text.size());
  };
  std::size_t end = digits(0);
  if (end == 0)
    return std::nullopt;
  if (end < text.size() && text[end] == '.') {
    const std::size_t fraction_end = digits(end + 1);
    if (fraction_end == end + 1)
      return std::nullopt;
    end = fraction_end;
  }
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + end, value);
  if (error != std::errc{} || stop != text.data() + end)
    return std::nullopt;
  text.remove_prefix(end);
  return value;
}

std::optional<double> go_duration_nanos(std::string_view text) {
  double sum = 0;
  while (!text.empty()) {
    const auto number = take_number(text);
    if (!number)
      return std::nullopt;
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& candidate) {
      return text.substr(0, candidate.name.size()) == candidate.name;
    });
    if (unit == kUnits.end())
      return std::nullopt;
    text.remove_prefix(unit->name.size());
    sum += *number * unit->nanos;
  }
  return sum;
}

constexpr double kLongestNanos = static_cast<double>(nanoseconds(kLongestWait).count());

std::optional<WallTime> after(WallTime now, double nanos) {
  if (nanos > kLongestNanos)
    return std::nullopt;
  return now + nanoseconds(static_cast<std::int64_t>(nanos));
}

std::optional<WallTime> at(WallTime time, WallTime now, nanoseconds skew) {
  if (time - now > kLongestWait + skew)
    return std::nullopt;
  return std::max(now, time - duration_cast<WallTime::duration>(skew));
}

std::optional<WallTime> from_epoch_seconds(double value, WallTime now, nanoseconds skew) {
  if (value > 9e9)  // the year 2255, beyond which nanoseconds do not reach
    return std::nullopt;
  return at(WallTime(nanoseconds(static_cast<std::int64_t>(value * 1e9))), now, skew);
}

int month_of(std::string_view name) {
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto found = std::find(kMonths.begin(), kMonths.end(), name);
  return found == kMonths.end() ? 0 : static_cast<int>(found - kMonths.begin()) + 1;
}

}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text) {
  // "Fri, 01 May 2026 00:00:00 GMT": fixed columns.
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" ||
      text[19] != ':' || text[22] != ':')
    return std::nullopt;
  const auto field = [&](std::size_t from, std::size_t length) {
    return static_cast<int>(parse_int(text.substr(from, length)).value_or(-1));
  };
  const int day = field(5, 2);
  const int month = month_of(text.substr(8, 3));
  const int year = field(12, 4);
  const int hour = field(17, 2);
  const int minute = field(20, 2);
  const int second = field(23, 2);
  if (day < 1 || month == 0 || year < 1970 || year > 2261 || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 60)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok())
    return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         seconds(second);
}

std::optional<WallTime> parse_reset_time(std::string_view value, WallTime now, ResetUnit unit,
                                         nanoseconds skew) {
  const std::string_view text = trim(value);
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (number && rest.empty()) {
    if (unit == ResetUnit::milliseconds)
      return *number > 1e11 ? from_epoch_seconds(*number / 1e3, now, skew)
                            : after(now, *number * 1e6);
    if (*number > 1e11)
      return from_epoch_seconds(*number / 1e3, now, skew);
    return *number > 1e9 ? from_epoch_seconds(*number, now, skew) : after(now, *number * 1e9);
  }
  if (number) {
    if (const auto nanos = go_duration_nanos(text))
      return after(now, *nanos);
    if (const auto time = parse_rfc3339(text))
      return at(*time, now, skew);
    return std::nullopt;
  }
  if (const auto time = parse_http_date(text))
    return at(*time, now, skew);
  return std::nullopt;
}

nanoseconds clock_skew(const net::HttpResponse& response, WallTime now) {
  const auto date = parse_http_date(trim(response.header("date")));
  if (!date)
    return nanoseconds(0);
  const nanoseconds ahead = *date - now;
  return std::chrono::abs(ahead) < seconds(5) ? nanoseconds(0) : ahead;
}

}  // namespace keyherd::probe
