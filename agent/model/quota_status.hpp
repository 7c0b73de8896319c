#pragma once

// Where a quota window stands, as metrics, strategies and people see it.

#include <cstdint>
#include <optional>
#include <string>

#include "model/quota.hpp"

namespace keyherd::model {

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

  [[nodiscard]] double ratio() const {
    return limit > 0 ? static_cast<double>(used) / static_cast<double>(limit) : 0.0;
  }
  [[nodiscard]] std::int64_t remaining() const { return limit > used ? limit - used : 0; }
};

}  // namespace keyherd::model
