#pragma once

// Time is an input. Wall time is what people, logs and calendars see; steady time measures
// intervals and deadlines. An Instant is both read together. Code that decides takes an Instant (or
// a WallTime) as a parameter; only the loop and the edges hold a Clock.

#include <chrono>

namespace keyherd {

using WallTime = std::chrono::system_clock::time_point;
using SteadyTime = std::chrono::steady_clock::time_point;

struct Instant {
  WallTime wall;
  SteadyTime steady;
};

// Safe to call from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override;
};

}  // namespace keyherd
