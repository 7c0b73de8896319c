#pragma once

// Calendars in named time zones: which day, week or month an instant belongs to, and how it reads
// on the wall there. Pure functions, safe from any thread.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace keyherd::cron {

// Whether this is the IANA name of a zone that the system knows, spelled exactly. Names are looked
// up in a list, never used as a path; "localtime" is not a name.
bool is_timezone(std::string_view name);

// The release of the system's time zone data, "2025b"; "unknown" where it does not say.
std::string tzdata_version();

// "2026-03-08T03:00:00-04:00"; with the abbreviation, "2026-03-08T03:00:00-04:00 EDT", unless the
// zone has none but its offset. Whole seconds. Error: invalid, for an unknown zone.
Result<std::string> format_local(WallTime at, std::string_view timezone);
Result<std::string> format_local_named(WallTime at, std::string_view timezone);

struct LocalTime {
  unsigned weekday = 0;  // from 0, Sunday
  int minute = 0;        // of the day
};
// What the clock on the wall shows. Error: invalid, for an unknown zone.
Result<LocalTime> local_time(WallTime at, std::string_view timezone);

// Days, weeks (from Monday) and months follow the local calendar: a day has 23, 24 or 25 hours, and
// begins at the end of the gap where its midnight is missing. Minutes and hours follow elapsed
// time, aligned to the local offset, and end early where the offset changes.
enum class CalendarUnit { minute, hour, day, week, month };

// Where days, weeks and months begin: at a local time of the day (0 to 24 h), weeks on a weekday
// from 1, Monday, months on a day from 1 to 31; a shorter month's last day stands for those it has
// not.
struct Anchor {
  int day = 1;
  std::chrono::minutes time{0};
};

struct Window {
  WallTime start;
  std::optional<WallTime> end;  // exclusive; none: without end
  friend bool operator==(const Window&, const Window&) = default;
};

// The window that contains the instant. Consecutive windows meet without gap or overlap. Errors:
// invalid, for an unknown zone or an instant outside the years 1678 to 2261.
Result<Window> window_at(CalendarUnit unit, std::string_view timezone, WallTime at,
                         const Anchor& anchor = {});

// A delay in [0, max] that is the same for the same id on every machine and after every restart,
// and spreads different ids evenly. Zero when max is not positive.
std::chrono::nanoseconds stable_offset(std::string_view id, std::chrono::nanoseconds max);

}  // namespace keyherd::cron
