#pragma once

// Where a quota window stands, as metrics, strategies and people see it.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "model/quota.hpp"

namespace keyherd::model {

// So much in so much time.
struct BurnRate {
  std::int64_t amount = 0;
  std::chrono::nanoseconds over{0};
};

std::int64_t per_hour(const BurnRate& rate);

struct QuotaStatus {
  std::string quota;
  std::string owner;  // key id, or "group:" and the limit group
  QuotaUnit unit = QuotaUnit::tokens;
  std::int64_t used = 0;
  std::int64_t limit = 0;
  std::optional<WallTime> resets_at;
  std::optional<std::chrono::nanoseconds> window_length;
  std::vector<double> thresholds;
  int level = 0;  // thresholds crossed: 0 none, 3 critical (for three thresholds)
  BurnRate burn;  // of the last hour
  // When it is used up if use goes on like that; nothing: never, or it is used up already.
  std::optional<WallTime> exhausted_at;
  bool exhausts_before_reset = false;

  [[nodiscard]] double ratio() const {
    return limit > 0 ? static_cast<double>(used) / static_cast<double>(limit) : 0.0;
  }
  [[nodiscard]] std::int64_t remaining() const { return limit > used ? limit - used : 0; }
};

}  // namespace keyherd::model
