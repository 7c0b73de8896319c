#pragma once

// What all implementations of the Store do alike. For them alone.

#include <cstddef>

#include "base/result.hpp"
#include "store/store.hpp"

namespace keyherd::store {

// A start reads this many of the newest rotations, and a prune keeps as many.
inline constexpr std::size_t kRecentRotations = 200;

// A schedule fires once for each of its times.
Error duplicate_fire(const ScheduleFire& fire);

}  // namespace keyherd::store
