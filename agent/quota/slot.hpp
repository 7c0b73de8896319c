#pragma once

// Inside quota only: one quota on one owner, with its thresholds as whole numbers and its tally.

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "model/quota.hpp"
#include "model/quota_status.hpp"
#include "model/usage.hpp"
#include "quota/burn.hpp"
#include "quota/calendar_tally.hpp"
#include "quota/rolling_tally.hpp"

namespace keyherd::quota {

// A rolling tally with what a calendar window keeps per window.
struct Rolling {
  RollingTally tally;
  int level = 0;       // thresholds announced
  bool known = false;  // whether the minutes before our start were read
};

struct Slot {
  model::Quota quota;
  std::string owner;
  std::vector<std::string> keys;
  std::vector<std::int64_t> triggers;  // the least use that reaches each threshold
  std::variant<CalendarTally, Rolling> tally;
  Burn burn;
  bool burn_known = false;  // whether the hour before our start was read

  [[nodiscard]] bool by_minute() const {
    return quota.window == model::WindowKind::minute || quota.window == model::WindowKind::rolling;
  }
  // How many thresholds this use reaches.
  [[nodiscard]] int reached(std::int64_t used) const;
};

// Checks the quota. Error: invalid, with the quota's id.
Result<Slot> make_slot(model::Quota quota, std::string owner, std::vector<std::string> keys);

// Whether two quotas count the same in the same windows, whatever their limits.
bool counts_alike(const model::Quota& a, const model::Quota& b);
std::int64_t amount_of(model::QuotaUnit unit, const model::UsageCounts& counts);
WallTime minute_start(std::int64_t minute);

// How it stands at an instant, also past the end of the current window.
struct Standing {
  cron::Window window;
  std::int64_t used = 0;
  std::optional<WallTime> resets_at;
  std::optional<WallTime> exhausted_until;  // nothing while below the limit
};
Standing standing_of(const Slot& slot, WallTime now);
model::QuotaStatus status_of(const Slot& slot, WallTime now);

}  // namespace keyherd::quota
