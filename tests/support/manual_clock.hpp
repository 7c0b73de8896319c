#pragma once

// Time that stands still until a test moves it.

#include "base/clock.hpp"

namespace keyherd::test {

class ManualClock final : public Clock {
 public:
  // 2026-05-01T00:00:00Z
  ManualClock()
      : now_{WallTime(std::chrono::seconds(1'777'593'600)), SteadyTime(std::chrono::hours(1))} {}

  [[nodiscard]] Instant now() const override { return now_; }
  void advance(std::chrono::nanoseconds by) {
    now_.wall += by;
    now_.steady += by;
  }
  // A wall clock step: steady time does not notice.
  void step_wall(std::chrono::nanoseconds by) { now_.wall += by; }
  void set_wall(WallTime wall) { now_.wall = wall; }

 private:
  Instant now_;
};

}  // namespace keyherd::test
