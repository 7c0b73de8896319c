#pragma once

// What all implementations of the Store do alike. For them alone.

#include <chrono>
#include <cstddef>

#include "base/result.hpp"
#include "store/store.hpp"

namespace keyherd::store {

// A start reads this many of the newest rotations, and a prune keeps as many.
inline constexpr std::size_t kRecentRotations = 200;
// And all that started within so long of the newest one: they are what budgets count.
inline constexpr std::chrono::hours kRecentTime{1};

// A schedule fires once for each of its times.
Error duplicate_fire(const ScheduleFire& fire);

}  // namespace keyherd::store
