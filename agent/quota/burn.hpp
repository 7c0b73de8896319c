#pragma once

// Inside quota only: how fast a limit is being used: what was used in the running quarter of an
// hour and the four before it. By the rows' own time; whole numbers, so that money stays exact.

#include <array>
#include <chrono>
#include <cstdint>

#include "base/clock.hpp"
#include "model/quota_status.hpp"
#include "model/usage.hpp"

namespace keyherd::quota {

class Burn {
 public:
  static constexpr std::int64_t kQuarters = 5;

  void add(std::int64_t bucket, std::int64_t amount) {
    Quarter& quarter = quarters_[static_cast<std::size_t>((bucket % kQuarters + kQuarters)) %
                                 static_cast<std::size_t>(kQuarters)];
    if (quarter.bucket > bucket)
      return;  // older than what its place holds
    if (quarter.bucket < bucket)
      quarter = {bucket, 0};
    quarter.amount = model::saturating_add(quarter.amount, amount);
  }

  [[nodiscard]] model::BurnRate rate(WallTime now) const {
    const std::int64_t newest = model::bucket_of(now);
    const std::int64_t oldest = newest - kQuarters + 1;
    model::BurnRate rate;
    rate.over = now - model::bucket_start(oldest);
    for (const Quarter& quarter : quarters_)
      if (quarter.bucket >= oldest && quarter.bucket <= newest + 1)  // one ahead: clocks differ
        rate.amount = model::saturating_add(rate.amount, quarter.amount);
    return rate;
  }

  // From when on the history is wanted.
  static WallTime since(WallTime now) {
    return model::bucket_start(model::bucket_of(now) - kQuarters + 1);
  }

 private:
  struct Quarter {
    std::int64_t bucket = -1;
    std::int64_t amount = 0;
  };
  std::array<Quarter, static_cast<std::size_t>(kQuarters)> quarters_{};
};

}  // namespace keyherd::quota
