#include "cron/calendar.hpp"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <fstream>

#include "cron/zone.hpp"

namespace keyherd::cron {

namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::local_days;
using std::chrono::year_month_day;

LocalSeconds midnight(local_days day) {
  return LocalSeconds{day.time_since_epoch()};
}

struct Days {
  local_days first;
  local_days next;
};

local_days anchored(std::chrono::year_month month, int day) {
  const local_days last{month / std::chrono::last};
  return std::min(last, local_days{month / 1} + days{day - 1});
}

// The days that a period with this day begins on, and the next one.
Days days_of(CalendarUnit unit, local_days day, int anchor) {
  if (unit == CalendarUnit::week) {
    const local_days first =
        day - (std::chrono::weekday{day} - std::chrono::weekday{static_cast<unsigned>(anchor)});
    return {first, first + days{7}};
  }
  if (unit == CalendarUnit::month) {
    const year_month_day date{day};
    std::chrono::year_month month = date.year() / date.month();
    if (day < anchored(month, anchor))
      month -= std::chrono::months{1};
    return {anchored(month, anchor), anchored(month + std::chrono::months{1}, anchor)};
  }
  return {day, day + days{1}};
}

// A boundary is the first time the wall shows it, so a clock that falls back over one does not
// return to the period before.
Window calendar_window(CalendarUnit unit, const Zone& zone, SysSeconds at, const Anchor& anchor) {
  const auto start = [&](local_days day) {
    return zone.first_reaching(midnight(day) + anchor.time);
  };
  Days range = days_of(unit, floor<days>(zone.span_at(at).local(at)), anchor.day);
  while (start(range.first) > at)
    range = days_of(unit, range.first - days{1}, anchor.day);
  while (start(range.next) <= at)
    range = days_of(unit, range.next, anchor.day);
  return {start(range.first), start(range.next)};
}

Window elapsed_window(seconds length, const Zone& zone, SysSeconds at) {
  const Span span = zone.span_at(at);
  const LocalSeconds local = span.local(at);
  const seconds into{((local.time_since_epoch() % length) + length) % length};
  const SysSeconds start = at - into;
  return {std::max(start, span.begin), std::min(start + length, span.end)};
}

Window window_in(const Zone& zone, CalendarUnit unit, SysSeconds at, const Anchor& anchor) {
  switch (unit) {
    case CalendarUnit::minute:
      return elapsed_window(std::chrono::minutes{1}, zone, at);
    case CalendarUnit::hour:
      return elapsed_window(std::chrono::hours{1}, zone, at);
    case CalendarUnit::day:
    case CalendarUnit::week:
    case CalendarUnit::month:
      return calendar_window(unit, zone, at, anchor);
  }
  std::abort();
}

}  // namespace

bool is_timezone(std::string_view name) {
  return Zone::find(name).has_value();
}

std::string tzdata_version() {
  // The distribution's library reads compiled zones and does not learn their release; the text form
  // beside them opens with "# version 2025b".
  std::ifstream file("/usr/share/zoneinfo/tzdata.zi");
  std::string hash;
  std::string word;
  std::string version;
  if (file >> hash >> word >> version && hash == "#" && word == "version" && version.size() <= 16)
    return version;
  return "unknown";
}

Result<std::string> format_local(WallTime at, std::string_view timezone) {
  KH_ASSIGN(const Zone zone, Zone::find(timezone));
  return format_local(zone, floor<seconds>(at));
}

Result<std::string> format_local_named(WallTime at, std::string_view timezone) {
  KH_ASSIGN(const Zone zone, Zone::find(timezone));
  std::string text = format_local(zone, floor<seconds>(at));
  const std::string abbreviation = zone.abbreviation(floor<seconds>(at));
  if (!abbreviation.empty() && std::isalpha(static_cast<unsigned char>(abbreviation.front())) != 0)
    text += " " + abbreviation;
  return text;
}

Result<LocalTime> local_time(WallTime at, std::string_view timezone) {
  KH_ASSIGN(const Zone zone, Zone::find(timezone));
  const SysSeconds instant = floor<seconds>(at);
  const LocalSeconds local = zone.span_at(instant).local(instant);
  const local_days day = floor<days>(local);
  return LocalTime{std::chrono::weekday{day}.c_encoding(),
                   static_cast<int>(floor<std::chrono::minutes>(local - midnight(day)).count())};
}

Result<Window> window_at(CalendarUnit unit, std::string_view timezone, WallTime at,
                         const Anchor& anchor) {
  KH_ASSIGN(const Zone zone, Zone::find(timezone));
  const SysSeconds instant = floor<seconds>(at);
  if (instant < kFirstInstant + days{32} || instant >= kLastInstant - days{32})
    return fail(ErrorCode::invalid, "finding a calendar window: the year is not in 1678 to 2261");
  return window_in(zone, unit, instant, anchor);
}

std::chrono::nanoseconds stable_offset(std::string_view id, std::chrono::nanoseconds max) {
  if (max.count() <= 0)
    return std::chrono::nanoseconds{0};
  // FNV-1a, then the finalizer of splitmix64: ids that differ in one digit must not come out near.
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char byte : id)
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  hash = (hash ^ (hash >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27U)) * 0x94d049bb133111ebULL;
  hash ^= hash >> 31U;
  return std::chrono::nanoseconds{
      static_cast<std::int64_t>(hash % (static_cast<std::uint64_t>(max.count()) + 1))};
}

}  // namespace keyherd::cron
