#include "cron/zone.hpp"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "base/text.hpp"

namespace keyherd::cron {

namespace {

std::string spelled_like(std::string_view wanted) {
  const auto& zones = date::get_tzdb().zones;
  const auto same = std::find_if(zones.begin(), zones.end(), [&](const date::time_zone& zone) {
    return equals_ignore_case(zone.name(), wanted);
  });
  return same == zones.end() ? std::string() : same->name();
}

// The list is what the zone directory held when it was first asked for, and is sorted. A name that
// is not in it never reaches the file system.
const date::time_zone* look_up(std::string_view name) {
  const auto& zones = date::get_tzdb().zones;
  const auto found = std::lower_bound(
      zones.begin(), zones.end(), name,
      [](const date::time_zone& zone, std::string_view wanted) { return zone.name() < wanted; });
  if (found == zones.end() || found->name() != name || name == "localtime")
    return nullptr;
  // Zone data is read at the first question; a file that is not zone data shows itself here.
  found->get_info(date::sys_seconds{});
  return &*found;
}

}  // namespace

Result<Zone> Zone::find(std::string_view name) {
  try {
    if (const date::time_zone* zone = look_up(name))
      return Zone(std::string(name), *zone);
    const std::string meant = spelled_like(name);
    return fail(ErrorCode::invalid,
                fmt::format("time zone \"{}\" is not known to this system; {}", printable(name, 60),
                            meant.empty() || meant == "localtime"
                                ? "use an IANA name such as \"Asia/Singapore\" or \"UTC\""
                                : fmt::format("did you mean \"{}\"?", meant)));
  } catch (const std::exception& error) {
    return fail(ErrorCode::invalid,
                fmt::format("reading time zone \"{}\": {}; is the package tzdata installed?",
                            printable(name, 60), printable(error.what(), 200)));
  }
}

Span Zone::span_at(SysSeconds at) const {
  const date::sys_info info = zone_->get_info(at);
  return Span{info.begin, info.end, info.offset};
}

std::string Zone::abbreviation(SysSeconds at) const {
  return zone_->get_info(at).abbrev;
}

SysSeconds Zone::first_reaching(LocalSeconds local) const {
  // No zone is further than this from UTC, so the search starts before the local time.
  constexpr std::chrono::hours kFurthestOffset{26};
  Span span = span_at(SysSeconds{local.time_since_epoch()} - kFurthestOffset);
  while (span.instant(local) >= span.end)
    span = span_at(span.end);
  return std::max(span.begin, span.instant(local));
}

std::string format_local(const Zone& zone, SysSeconds at) {
  const Span span = zone.span_at(at);
  const LocalSeconds local = span.local(at);
  const auto day = std::chrono::floor<std::chrono::days>(local);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{local - day};
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(span.offset).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{:02}:{:02}", int{date.year()},
                     unsigned{date.month()}, unsigned{date.day()}, time.hours().count(),
                     time.minutes().count(), time.seconds().count(), minutes < 0 ? '-' : '+',
                     std::abs(minutes) / 60, std::abs(minutes) % 60);
}

}  // namespace keyherd::cron
