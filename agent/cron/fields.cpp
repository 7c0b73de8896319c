#include "cron/fields.hpp"

namespace keyherd::cron {

namespace {

using std::chrono::days;
using std::chrono::local_days;
using std::chrono::minutes;
using std::chrono::weekday;
using std::chrono::year_month;
using std::chrono::year_month_day;

constexpr std::uint32_t bit(unsigned index) {
  return std::uint32_t{1} << index;
}

unsigned weekday_of(unsigned day, weekday first) {
  return (first.c_encoding() + day - 1) % 7;
}

// The working day nearest to a day without leaving the month.
unsigned nearest_workday(unsigned day, unsigned length, weekday first) {
  const unsigned name = weekday_of(day, first);
  if (name == 6)
    return day > 1 ? day - 1 : day + 2;
  if (name == 0)
    return day < length ? day + 1 : day - 2;
  return day;
}

// Before the end of the month: Saturday and Sunday give way to Friday.
unsigned last_workday(unsigned length, weekday first) {
  const unsigned name = weekday_of(length, first);
  return name == 6 ? length - 1 : name == 0 ? length - 2 : length;
}

bool month_day_selected(const Fields& fields, unsigned day, unsigned length) {
  return (fields.days & bit(day)) != 0 || (fields.last_day && day == length);
}

bool weekday_selected(const Fields& fields, unsigned day, unsigned length, weekday first) {
  const unsigned name = weekday_of(day, first);
  const unsigned nth = fields.nth[name];
  return (fields.weekdays & bit(name)) != 0 || (nth & bit((day - 1) / 7)) != 0 ||
         ((nth & bit(Fields::kLastBit)) != 0 && day + 7 > length);
}

std::uint32_t near_days_selected(const Fields& fields, unsigned length, weekday first) {
  std::uint32_t selected = 0;
  for (unsigned day = 1; day <= length; ++day)
    if ((fields.near_days & bit(day)) != 0)
      selected |= bit(nearest_workday(day, length, first));
  if (fields.last_workday)
    selected |= bit(last_workday(length, first));
  return selected;
}

// The first selected minute of a day that is not before `from`.
std::optional<minutes> minute_selected(const Fields& fields, minutes from) {
  for (auto hour = static_cast<unsigned>(from.count() / 60); hour < 24; ++hour) {
    if ((fields.hours & bit(hour)) == 0)
      continue;
    const bool first_hour = minutes{(hour + 1) * 60} > from && minutes{hour * 60} <= from;
    const auto skip = static_cast<unsigned>(first_hour ? from.count() % 60 : 0);
    if (const std::uint64_t left = fields.minutes >> skip; left != 0)
      return minutes{hour * 60 + skip + static_cast<unsigned>(__builtin_ctzll(left))};
  }
  return std::nullopt;
}

// The first selected time of a day that is not before `from`.
std::optional<seconds> time_selected(const Fields& fields, seconds from) {
  const auto whole = std::chrono::floor<minutes>(from);
  const auto left = fields.seconds >> static_cast<unsigned>((from - whole).count());
  const auto minute = minute_selected(fields, left != 0 ? whole : whole + minutes{1});
  if (!minute)
    return std::nullopt;
  if (*minute == whole)
    return from + seconds{__builtin_ctzll(left)};
  return *minute + seconds{__builtin_ctzll(fields.seconds)};
}

}  // namespace

std::uint32_t days_selected(const Fields& fields, unsigned length, weekday first) {
  std::uint32_t by_date = near_days_selected(fields, length, first);
  std::uint32_t by_name = 0;
  for (unsigned day = 1; day <= length; ++day) {
    if (month_day_selected(fields, day, length))
      by_date |= bit(day);
    if (weekday_selected(fields, day, length, first))
      by_name |= bit(day);
  }
  const bool both = fields.any_day || fields.any_weekday || fields.both_days;
  return both ? by_date & by_name : by_date | by_name;
}

bool is_possible(const Fields& fields) {
  // Within 400 years every month begins on every weekday, February in both lengths.
  constexpr std::array<unsigned, 13> kLengths{0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (unsigned month = 1; month <= 12; ++month) {
    if ((fields.months & bit(month)) == 0)
      continue;
    for (unsigned first = 0; first < 7; ++first)
      for (const unsigned length : {kLengths[month], month == 2 ? 28U : kLengths[month]})
        if (days_selected(fields, length, weekday{first}) != 0)
          return true;
  }
  return false;
}

std::optional<LocalSeconds> first_selected(const Fields& fields, LocalSeconds from,
                                           LocalSeconds until) {
  const local_days first_day = std::chrono::floor<days>(from);
  const year_month_day date{first_day};
  for (year_month month = date.year() / date.month();
       LocalSeconds{local_days{month / 1}.time_since_epoch()} < until;
       month += std::chrono::months{1}) {
    if ((fields.months & bit(unsigned{month.month()})) == 0)
      continue;
    const local_days month_start{month / 1};
    const auto length = unsigned{(month / std::chrono::last).day()};
    std::uint32_t selected = days_selected(fields, length, weekday{month_start});
    for (; selected != 0; selected &= selected - 1) {
      const local_days day = month_start + days{__builtin_ctz(selected) - 1};
      if (day < first_day)
        continue;
      const seconds begin = day == first_day ? from - first_day : seconds{0};
      const auto time = time_selected(fields, begin);
      if (!time)
        continue;
      const LocalSeconds found{day.time_since_epoch() + *time};
      return found < until ? std::optional(found) : std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace keyherd::cron
