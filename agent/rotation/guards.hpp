#pragma once

// What holds a rotation back whatever its target: the pool's recent past. Pure; used by the
// planner.

#include <map>
#include <optional>
#include <string_view>

#include "rotation/planner.hpp"

namespace keyherd::rotation {

// After a failed rotation the next automatic one waits 5 s × 2ⁿ⁻¹, at most this, n the failures in
// a row. So does the next automatic look at a key that could not be proven: other keys need not.
inline constexpr std::chrono::seconds kFirstBackOff{5};
inline constexpr std::chrono::seconds kLongestBackOff{60};
// So many failures in a row open the breaker; one success (a person's, or an emergency's) closes
// it.
inline constexpr int kBreakerFailures = 5;

// The first guard that holds the request back, if any.
std::optional<Refusal> held_back(const Situation& situation, const Request& request);

// The keys that a rotation has just not proven, and until when automation takes others. What was
// found may say nothing of the key (its provider is overloaded), and then the planner would choose
// it again at once, and again.
using SetAside = std::map<std::string_view, WallTime>;
SetAside set_aside(const Situation& situation);

// What is said to whoever wants another while this one runs.
Refusal in_progress(const Situation& situation, const model::Rotation& current);

// The rotation in progress; null when none.
const model::Rotation* running(const Situation& situation);

}  // namespace keyherd::rotation
