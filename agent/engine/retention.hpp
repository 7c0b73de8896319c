#pragma once

// What becomes of history that grows old: quarters of an hour are summed into hours, hours into
// days of the agent's time zone, and what is older than its retention goes. For the store's thread.

#include <chrono>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "store/store.hpp"

namespace keyherd::engine {

// `minutes`: how long the minutes of minute and rolling quotas are needed. Does a bounded part of
// the work; true: there is more. After an error nothing of the part is in the store.
Result<bool> tend_history(store::Store& store, const config::AgentSettings& settings,
                          std::chrono::nanoseconds minutes, WallTime now);

}  // namespace keyherd::engine
