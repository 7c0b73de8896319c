#pragma once

// What lies ahead if use goes on as in the last hour: when a limit is reached, and whether a pool
// gets through to its resets, also after losing its biggest key. Pure functions on values.

#include <optional>
#include <string>
#include <vector>

#include "model/quota_status.hpp"

namespace keyherd::quota {

// When so much is used up at this rate; nothing when nothing is used, or not within 100 years.
std::optional<WallTime> used_up_at(std::int64_t remaining, const model::BurnRate& rate,
                                   WallTime now);

// Fills in the forecast of a status from its rate. A rolling window that its rate does not fill is
// never used up.
void add_forecast(model::QuotaStatus& status, bool rolling, WallTime now);

// A member of a pool, with the limits of its key and of its limit group.
struct PoolMember {
  std::string key;
  std::string limit_group;  // the key's own id when it is alone
  bool usable = false;
  std::vector<model::QuotaStatus> limits;
};

struct PoolForecast {
  // When the limits of the usable members no longer carry what the pool uses; nothing when they do
  // until the last of their resets.
  std::optional<WallTime> exhausted_at;
  // The same after the loss of the biggest one (of the biggest limit group, where the pool has
  // several), by what is left of it.
  bool survives_key_loss = true;
};

// Each unit is looked at by itself, with the tightest limit of each member; a limit that several
// members share counts once. A member without a limit in a unit has no end of it.
PoolForecast forecast_pool(const std::vector<PoolMember>& members, WallTime now);

}  // namespace keyherd::quota
