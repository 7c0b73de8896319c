#pragma once

// When a limit ends, as providers write it: seconds, milliseconds, epochs, Go durations, RFC 3339
// or HTTP dates. Pure functions; any thread.

#include <chrono>
#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "net/transport.hpp"

namespace keyherd::probe {

// No window of any provider is longer than a month: what lies further ahead is not a time to wait
// for.
inline constexpr std::chrono::hours kLongestWait{24 * 32};

// What a bare small number counts.
enum class ResetUnit { seconds, milliseconds };

// The absolute time on our clock, never before `now`; nothing for "", "None", "-", negative
// numbers, text that is no time, and times beyond kLongestWait.
//   12, 1.5         from now, in `unit`; above 10⁹ seconds and above 10¹¹ milliseconds since the
//   epoch 27s, 6m0s, 12ms Go-style durations from now (units ns us µs ms s m h d)
//   2026-05-01T00:00:00Z, Fri, 01 May 2026 00:00:00 GMT
// `skew` is how far the provider's clock is ahead of ours; it corrects absolute times only.
std::optional<WallTime> parse_reset_time(std::string_view value, WallTime now,
                                         ResetUnit unit = ResetUnit::seconds,
                                         std::chrono::nanoseconds skew = {});

// "Fri, 01 May 2026 00:00:00 GMT", the form that RFC 9110 tells servers to send.
std::optional<WallTime> parse_http_date(std::string_view text);

// By the answer's Date header, how far the provider's clock is ahead of ours; zero when it does not
// say, and below five seconds, which the network and whole seconds explain.
std::chrono::nanoseconds clock_skew(const net::HttpResponse& response, WallTime now);

}  // namespace keyherd::probe
