#pragma once

// When something is to happen: a cron expression in a named time zone, docs/cron.md is its manual.
// A Schedule is an immutable value, cheap to copy; any thread may use one. All functions are pure:
// the same expression, zone and instant give the same answer, whatever the machine's clock says.
//
// Across changes of the offset: a schedule whose minute and hour name fixed times (no `*`, no `/`)
// fires once at the end of a gap that swallowed its time, and only the first time when its time
// comes twice; all others follow the elapsed time. A gap of three hours or more is skipped.

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace keyherd::cron {

// The firings of a stretch of time, for what was missed in it.
struct Firings {
  std::size_t count = 0;           // never more than the cap that was asked for
  std::optional<WallTime> latest;  // exact even when the count was capped
};

class Schedule {
 public:
  // Five fields, a macro (@daily), or "@every 90m"; the zone is an IANA name. Errors are `invalid`:
  // the message names field, column and token. A date that never comes is an error too.
  static Result<Schedule> parse(std::string_view expression, std::string_view timezone);

  // The first firing strictly later than `after`; nothing when there is none within 60 years or
  // before the year 2262.
  [[nodiscard]] std::optional<WallTime> next(WallTime after) const;
  // The first n, ascending.
  [[nodiscard]] std::vector<WallTime> next_n(WallTime after, std::size_t n) const;
  // The last firing at or before `at`, at most about 60 years back.
  [[nodiscard]] std::optional<WallTime> latest(WallTime at) const;
  // The firings later than `after` and not later than `until`.
  [[nodiscard]] Firings between(WallTime after, WallTime until, std::size_t cap) const;

  // What the expression means, in words: "at 03:00 every day (Asia/Singapore)".
  [[nodiscard]] std::string describe() const;
  // What its writer may not have meant, a sentence each. With `from` the notes about readings that
  // differ between cron programs list the next three firings of both.
  [[nodiscard]] std::vector<std::string> notes(std::optional<WallTime> from = std::nullopt) const;
  // Why a firing is unusual: it stands for times inside a gap, or its local time comes twice.
  [[nodiscard]] std::optional<std::string> remark(WallTime firing) const;

  [[nodiscard]] const std::string& expression() const;
  [[nodiscard]] const std::string& timezone() const;
  // An instant in the schedule's zone, RFC 3339 with offset: "2026-03-08T03:00:00-04:00".
  [[nodiscard]] std::string local(WallTime at) const;

 private:
  struct Impl;
  class Walk;
  explicit Schedule(std::shared_ptr<const Impl> impl);
  std::shared_ptr<const Impl> impl_;
};

}  // namespace keyherd::cron
