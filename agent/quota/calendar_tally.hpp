#pragma once

// Inside quota only: the use of one quota in windows of the calendar (and in the one window of a
// total). Holds the current window and the few beside it: the next ones, for rows whose clock runs
// ahead of ours, and those that a step of our clock left behind, for its return.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "cron/calendar.hpp"
#include "model/quota.hpp"

namespace keyherd::quota {

// The window of a quota that contains an instant. Error: invalid, as cron::window_at. Not for
// rolling windows.
Result<cron::Window> window_of(const model::Quota& quota, WallTime at);
bool contains(const cron::Window& window, WallTime at);

class CalendarTally {
 public:
  struct Held {
    cron::Window bounds;
    std::int64_t used = 0;
    int level = 0;       // thresholds announced
    bool known = false;  // false: what was used before we came is not in `used`
    bool quiet = false;  // entered by a step back of the clock: it may have been announced already
  };

  // Whether a window was entered and contains the instant.
  [[nodiscard]] bool is_current(WallTime now) const;
  // Precondition: a window was entered.
  [[nodiscard]] const Held& current() const { return held_.front(); }
  Held& current() { return held_.front(); }
  [[nodiscard]] bool empty() const { return held_.empty(); }
  // The held window that contains the instant, or null.
  [[nodiscard]] const Held* find(WallTime at) const;

  // Makes the window that contains `now` the current one.
  void enter(const model::Quota& quota, WallTime now);
  // Counts in the held window that contains `at`, or in one that begins soon after the current one;
  // else not at all. Precondition: a window was entered.
  void add(const model::Quota& quota, WallTime at, std::int64_t amount);
  // Forgets what the current window and those after it counted, to count it again from the history.
  void recount();
  // Lowers the announced thresholds to those that the use still reaches.
  template <class Reached>
  void limit_levels(Reached reached) {
    for (Held& held : held_)
      held.level = std::min(held.level, reached(held.used));
  }
  // Holds a window from before a restart; enter() then finds it.
  void hold(Held held) { held_.push_back(std::move(held)); }

 private:
  void trim();
  std::vector<Held> held_;  // the current one first, the others in no order
};

}  // namespace keyherd::quota
