#pragma once

// All that a decision about one pool is made from, borrowed from the engine for the call.

#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "model/pool.hpp"
#include "rotation/candidate.hpp"

namespace keyherd::rotation {

struct Situation {
  const model::Pool& pool;
  const model::PoolState& state;
  const std::vector<Candidate>&
      members;  // in the order of pool.keys; keys that do not exist left out
  // This pool's rotations, newest first: the running one, if any, and at least the last hour's.
  const std::vector<model::Rotation>& history;
  WallTime now;
  std::optional<model::Freeze> freeze = std::nullopt;  // in force now
};

}  // namespace keyherd::rotation
