#include "cron/describe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace keyherd::cron {

namespace {

constexpr std::array<std::string_view, 13> kMonths{
    "",     "January", "February",  "March",   "April",    "May",     "June",
    "July", "August",  "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kWeekdays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 5> kOrdinals{"first", "second", "third", "fourth", "fifth"};

std::vector<unsigned> members(std::uint64_t bits) {
  std::vector<unsigned> found;
  for (; bits != 0; bits &= bits - 1)
    found.push_back(static_cast<unsigned>(__builtin_ctzll(bits)));
  return found;
}

// "a", "a and b", "a, b and c"
std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t index = 0; index < parts.size(); ++index)
    text += (index == 0 ? "" : index + 1 == parts.size() ? " and " : ", ") + parts[index];
  return text;
}

// Runs of three and more as "Monday to Friday".
template <class Name>
std::string join_runs(const std::vector<unsigned>& values, Name name) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < values.size();) {
    std::size_t end = begin;
    while (end + 1 < values.size() && values[end + 1] == values[end] + 1)
      ++end;
    if (end - begin >= 2) {
      parts.push_back(fmt::format("{} to {}", name(values[begin]), name(values[end])));
    } else {
      for (std::size_t index = begin; index <= end; ++index)
        parts.push_back(name(values[index]));
    }
    begin = end + 1;
  }
  return join(parts);
}

std::string number(unsigned value) {
  return std::to_string(value);
}

// The n of `*/n` (1 for `*`) when it divides the range, so that the distance is always the same.
std::optional<unsigned> even_step(std::string_view text, unsigned size) {
  if (text == "*")
    return 1;
  if (text.substr(0, 2) != "*/" || text.find(',') != std::string_view::npos)
    return std::nullopt;
  const unsigned step = static_cast<unsigned>(std::stoul(std::string(text.substr(2))));
  return size % step == 0 ? std::optional(step) : std::nullopt;
}

std::string every(unsigned step, std::string_view unit) {
  return step == 1 ? fmt::format("every {}", unit) : fmt::format("every {} {}s", step, unit);
}

std::string minutes_of_hours(const Fields& fields) {
  const auto minutes = members(fields.minutes);
  const auto hours = members(fields.hours);
  const auto minute_step = even_step(fields.text[0], 60);
  const auto hour_step = even_step(fields.text[1], 24);
  std::string text = minute_step ? every(*minute_step, "minute")
                                 : fmt::format("at minute{} {}", minutes.size() == 1 ? "" : "s",
                                               join_runs(minutes, number));
  if (hour_step == 1U)
    return minute_step ? text : text + " of every hour";
  if (hour_step)
    return text + fmt::format(" of every {}{} hour from 00:00", *hour_step,
                              *hour_step == 2   ? "nd"
                              : *hour_step == 3 ? "rd"
                                                : "th");
  return text +
         fmt::format(" of hour{} {}", hours.size() == 1 ? "" : "s", join_runs(hours, number));
}

std::string describe_time(const Fields& fields) {
  const auto minutes = members(fields.minutes);
  const auto hours = members(fields.hours);
  if (fields.text[0] == "0" || fields.text[0] == "00") {
    const auto step = even_step(fields.text[1], 24);
    if (step)
      return every(*step, "hour");
  }
  constexpr std::size_t kMostTimes = 6;
  if (minutes.size() * hours.size() > kMostTimes)
    return minutes_of_hours(fields);
  std::vector<std::string> times;
  for (const unsigned hour : hours)
    for (const unsigned minute : minutes)
      times.push_back(fmt::format("{:02}:{:02}", hour, minute));
  return "at " + join(times);
}

// ", at second 30 of the minute,"; nothing when that is the first.
std::string describe_seconds(const Fields& fields) {
  if (fields.seconds == 1)
    return "";
  if (const auto step = even_step(fields.second_text, 60))
    return fmt::format(", {} of the minute,", every(*step, "second"));
  const auto seconds = members(fields.seconds);
  return fmt::format(", at second{} {} of the minute,", seconds.size() == 1 ? "" : "s",
                     join_runs(seconds, number));
}

std::string describe_month_days(const Fields& fields) {
  std::vector<std::string> parts;
  if (const auto numbers = members(fields.days); !numbers.empty())
    parts.push_back(
        fmt::format("day{} {}", numbers.size() == 1 ? "" : "s", join_runs(numbers, number)));
  for (const unsigned day : members(fields.near_days))
    parts.push_back(fmt::format("the working day nearest to day {}", day));
  if (fields.last_day)
    parts.emplace_back("the last day");
  if (fields.last_workday)
    parts.emplace_back("the last working day");
  return "on " + join(parts) + " of the month";
}

std::string describe_weekdays(const Fields& fields) {
  // From Monday, so that "FRI-SUN" and "1-5" read as runs.
  std::vector<unsigned> from_monday;
  for (unsigned day = 1; day <= 7; ++day)
    if ((fields.weekdays & (1U << day % 7)) != 0)
      from_monday.push_back(day);
  std::vector<std::string> parts;
  if (!from_monday.empty())
    parts.push_back(
        join_runs(from_monday, [](unsigned day) { return std::string(kWeekdays[day % 7]); }));
  for (unsigned day = 0; day < 7; ++day) {
    for (unsigned nth = 0; nth < kOrdinals.size(); ++nth)
      if ((fields.nth[day] & (1U << nth)) != 0)
        parts.push_back(fmt::format("the {} {} of the month", kOrdinals[nth], kWeekdays[day]));
    if ((fields.nth[day] & (1U << Fields::kLastBit)) != 0)
      parts.push_back(fmt::format("the last {} of the month", kWeekdays[day]));
  }
  return "on " + join(parts);
}

std::string describe_days(const Fields& fields) {
  if (fields.any_day && fields.any_weekday)
    return "every day";
  if (fields.any_weekday)
    return describe_month_days(fields);
  if (fields.any_day)
    return describe_weekdays(fields);
  return describe_month_days(fields) + (fields.both_days ? ", if it falls " : " and also ") +
         describe_weekdays(fields);
}

bool has_open_step(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && text.find_first_of("*?-,") == std::string_view::npos;
}

void note_open_steps(const Fields& fields, std::vector<std::string>& notes) {
  constexpr std::array<unsigned, 5> kLast{59, 23, 31, 12, 6};
  for (std::size_t index = 0; index < kLast.size(); ++index) {
    const std::string& text = fields.text[index];
    if (!has_open_step(text))
      continue;
    const std::size_t slash = text.find('/');
    notes.push_back(fmt::format("\"{}\" is read as \"{}-{}/{}\"; some cron programs refuse it",
                                text, text.substr(0, slash), kLast[index], text.substr(slash + 1)));
  }
}

void note_uneven_steps(const Fields& fields, std::vector<std::string>& notes) {
  constexpr std::array<std::pair<unsigned, std::string_view>, 2> kSizes{
      {{60, "hour"}, {24, "day"}}};
  for (std::size_t index = 0; index < kSizes.size(); ++index) {
    const std::string& text = fields.text[index];
    if (text.substr(0, 2) != "*/" || text.find(',') != std::string::npos ||
        even_step(text, kSizes[index].first))
      continue;
    notes.push_back(fmt::format("\"{}\" begins anew every {}: the last interval is shorter", text,
                                kSizes[index].second));
  }
}

}  // namespace

std::string describe(const Fields& fields) {
  std::string text = describe_time(fields) + describe_seconds(fields) + " " + describe_days(fields);
  const auto months = members(fields.months);
  if (months.size() < 12)
    text += " in " + join_runs(months, [](unsigned month) { return std::string(kMonths[month]); });
  return text;
}

bool reads_differently(const Fields& fields) {
  return !fields.any_day && !fields.any_weekday && !fields.both_days &&
         (fields.text[2].front() == '*' || fields.text[4].front() == '*');
}

std::vector<std::string> lint(const Fields& fields) {
  std::vector<std::string> notes;
  if (!fields.second_text.empty())
    notes.emplace_back(
        fmt::format("six fields: the first, \"{}\", is seconds; most cron programs know five",
                    fields.second_text));
  note_open_steps(fields, notes);
  note_uneven_steps(fields, notes);
  if (!fields.any_day && !fields.any_weekday && !fields.both_days)
    notes.push_back(
        fmt::format("day of month and day of week are both restricted: a day fires when either "
                    "matches; write \"+{}\" as day of week for days that match both",
                    fields.text[4]));
  const auto days = members(fields.days);
  if (!fields.any_day && !days.empty() && days.front() > 28 && fields.near_days == 0 &&
      !fields.last_day && fields.any_weekday)
    notes.emplace_back("months without this day are skipped; the last day of every month is L");
  return notes;
}

}  // namespace keyherd::cron
