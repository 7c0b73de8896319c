#pragma once

// Instants and durations as text: RFC 3339 in and out, and durations as the configuration writes
// them ("5m", "1h30m", "250ms").

#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace keyherd {

// "2026-11-23T10:15:30Z", with milliseconds only when they are not zero. Years 1 to 9999.
std::string format_rfc3339(WallTime time);
// For what happened: always with milliseconds, so that lines line up and sort as text.
std::string format_event_time(WallTime time);

// Date, 'T' or space, time, optional fraction (kept to nanoseconds), then 'Z' or ±hh:mm. A missing
// zone, an impossible date (2026-02-30) and years before 1970 or after 2261 are errors. A leap
// second (:60) is read as the next minute's :00.
Result<WallTime> parse_rfc3339(std::string_view text);

// One or more of <number><unit>, units ns us ms s m h d w, largest first or not, whole numbers or
// decimals, at least one; up to 100 years, never negative. "0s" is zero; a bare "5" is an error.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// The shortest exact form of whole milliseconds: "1h30m", "250ms", "0s".
std::string format_duration(std::chrono::nanoseconds duration);

// For people: at most two units, "3d 4h", "12m 5s", "0.8s".
std::string describe_duration(std::chrono::nanoseconds duration);

// Seconds since the epoch, as metrics have them.
double to_unix_seconds(WallTime time);
std::int64_t to_unix_nanos(WallTime time);
WallTime from_unix_nanos(std::int64_t nanos);

}  // namespace keyherd
