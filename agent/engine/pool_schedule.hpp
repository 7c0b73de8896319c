#pragma once

// When a pool's schedule is due, and what became of the firings that nobody was there for. Owned by
// the loop.

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "cron/schedule.hpp"
#include "model/pool.hpp"

namespace keyherd::engine {

class PoolSchedule {
 public:
  struct Fire {
    WallTime scheduled_at;    // without jitter: its identity
    std::int64_t missed = 0;  // firings that will not rotate, this one included if it is too late
    bool too_late = false;
  };

  // What the pool is configured with now; whether that is another schedule than before. Then it
  // never fires for the past.
  bool configure(const model::Pool& pool, std::optional<cron::Schedule> schedule, WallTime now);
  // The last firing that was handled before a restart, under this identity().
  void restore(WallTime last_fire);
  // Expression and zone.
  [[nodiscard]] const std::string& identity() const { return identity_; }

  // The newest firing that is due, once; all firings before it are missed.
  std::optional<Fire> take_due(WallTime now);
  // When it is due next, with jitter.
  [[nodiscard]] std::optional<WallTime> next() const;
  [[nodiscard]] std::optional<WallTime> last() const { return last_fire_; }

 private:
  std::string identity_;
  std::optional<cron::Schedule> schedule_;
  std::chrono::seconds delay_{0};
  std::chrono::nanoseconds patience_{0};
  std::optional<WallTime> last_fire_;  // handled
  std::optional<WallTime> next_fire_;  // without jitter
};

}  // namespace keyherd::engine
