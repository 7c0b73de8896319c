#include "usage/timestamp.hpp"

#include "base/time_text.hpp"

namespace keyherd::usage {

namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

// The value of `count` digits, or -1.
inline int digits(const char* at, int count) {
  int value = 0;
  for (int i = 0; i < count; ++i) {
    const int digit = at[i] - '0';
    if (digit < 0 || digit > 9)
      return -1;
    value = value * 10 + digit;
  }
  return value;
}

constexpr int kDaysBefore[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
constexpr int kDaysIn[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

constexpr bool is_leap(int year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

// Days since 1970-01-01, or -1 when there is no such day or the year is for the slow way.
std::int64_t days_of(int year, int month, int day) {
  if (year < 1970 || year > 2200 || month < 1 || month > 12 || day < 1)
    return -1;
  if (day > kDaysIn[month - 1] + (month == 2 && is_leap(year) ? 1 : 0))
    return -1;
  const int before = year - 1;
  const int leap_days = before / 4 - before / 100 + before / 400 - 477;  // since 1970
  return (year - 1970) * 365 + leap_days + kDaysBefore[month - 1] +
         (month > 2 && is_leap(year) ? 1 : 0) + day - 1;
}

// The fraction after a '.', as nanoseconds; `at` moves behind it. -1 for the slow way.
std::int64_t fraction(const char*& at, const char* end) {
  std::int64_t nanos = 0;
  std::int64_t unit = kNanosPerSecond / 10;
  for (; at < end && *at >= '0' && *at <= '9'; ++at, unit /= 10) {
    if (unit == 0)
      return -1;
    nanos += (*at - '0') * unit;
  }
  return unit == kNanosPerSecond / 10 ? -1 : nanos;
}

// "2026-05-01T12:00:00[.123]Z" with nothing unusual in it; -1 for everything else.
std::int64_t parse_usual(std::string_view text) {
  if (text.size() < 20 || text.back() != 'Z' || text[4] != '-' || text[7] != '-' ||
      text[10] != 'T' || text[13] != ':' || text[16] != ':')
    return -1;
  const char* at = text.data();
  const std::int64_t days = days_of(digits(at, 4), digits(at + 5, 2), digits(at + 8, 2));
  const int hour = digits(at + 11, 2);
  const int minute = digits(at + 14, 2);
  const int second = digits(at + 17, 2);
  if (days < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
    return -1;
  std::int64_t nanos = 0;
  const char* end = at + text.size() - 1;
  at += 19;
  if (at < end) {
    if (*at++ != '.')
      return -1;
    nanos = fraction(at, end);
    if (nanos < 0 || at != end)
      return -1;
  }
  return (days * 86'400 + hour * 3'600 + minute * 60 + second) * kNanosPerSecond + nanos;
}

}  // namespace

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
  if (const std::int64_t nanos = parse_usual(text); nanos >= 0)
    return nanos;
  const auto slow = parse_rfc3339(text);
  if (!slow)
    return std::nullopt;
  return to_unix_nanos(*slow);
}

}  // namespace keyherd::usage
