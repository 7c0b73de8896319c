#pragma once

// What holds a rotation back whatever its target: the pool's recent past. Pure; used by the
// planner.

#include <optional>

#include "rotation/planner.hpp"

namespace keyherd::rotation {

// After a failed rotation the next automatic one waits 5 s × 2ⁿ⁻¹, at most this, n the failures in
// a row.
inline constexpr std::chrono::seconds kFirstBackOff{5};
inline constexpr std::chrono::seconds kLongestBackOff{60};
// So many failures in a row open the breaker; one success (a person's, or an emergency's) closes
// it.
inline constexpr int kBreakerFailures = 5;

// The first guard that holds the request back, if any.
std::optional<Refusal> held_back(const Situation& situation, const Request& request);

// What is said to whoever wants another while this one runs.
Refusal in_progress(const Situation& situation, const model::Rotation& current);

// The rotation in progress; null when none.
const model::Rotation* running(const Situation& situation);

}  // namespace keyherd::rotation
