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

// The local day that an instant belongs to. The boundary is the first time the wall shows midnight,
// so a clock that falls back over midnight does not return to the day before.
local_days day_of(const Zone& zone, SysSeconds at) {
  const local_days day = floor<days>(zone.span_at(at).local(at));
  return zone.first_reaching(midnight(day + days{1})) <= at ? day + days{1} : day;
}

struct Days {
  local_days first;
  local_days next;
};

Days days_of(CalendarUnit unit, local_days day) {
  if (unit == CalendarUnit::week) {
    const local_days monday = day - (std::chrono::weekday{day} - std::chrono::Monday);
    return {monday, monday + days{7}};
  }
  if (unit == CalendarUnit::month) {
    const year_month_day date{day};
    const year_month_day first = date.year() / date.month() / 1;
    return {local_days{first}, local_days{first + std::chrono::months{1}}};
  }
  return {day, day + days{1}};
}

Window calendar_window(CalendarUnit unit, const Zone& zone, SysSeconds at) {
  const Days range = days_of(unit, day_of(zone, at));
  return {zone.first_reaching(midnight(range.first)), zone.first_reaching(midnight(range.next))};
}

Window elapsed_window(seconds length, const Zone& zone, SysSeconds at) {
  const Span span = zone.span_at(at);
  const LocalSeconds local = span.local(at);
  const seconds into{((local.time_since_epoch() % length) + length) % length};
  const SysSeconds start = at - into;
  return {std::max(start, span.begin), std::min(start + length, span.end)};
}

Window window_in(const Zone& zone, CalendarUnit unit, SysSeconds at) {
  switch (unit) {
    case CalendarUnit::minute:
      return elapsed_window(std::chrono::minutes{1}, zone, at);
    case CalendarUnit::hour:
      return elapsed_window(std::chrono::hours{1}, zone, at);
    case CalendarUnit::day:
    case CalendarUnit::week:
    case CalendarUnit::month:
      return calendar_window(unit, zone, at);
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

Result<Window> window_at(CalendarUnit unit, std::string_view timezone, WallTime at) {
  KH_ASSIGN(const Zone zone, Zone::find(timezone));
  const SysSeconds instant = floor<seconds>(at);
  if (instant < kFirstInstant + days{32} || instant >= kLastInstant - days{32})
    return fail(ErrorCode::invalid, "finding a calendar window: the year is not in 1678 to 2261");
  return window_in(zone, unit, instant);
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
