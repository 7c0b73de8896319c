#pragma once

// Pools, keys and rotations for the tests of this folder.

#include <string>
#include <vector>

#include "rotation/planner.hpp"
#include "rotation/workflow.hpp"
#include "support/manual_clock.hpp"

namespace keyherd::test {

inline const WallTime kNow = ManualClock().now().wall;  // 2026-05-01T00:00:00Z

// A healthy, verified key that is alone in its limit group.
inline rotation::Candidate key(std::string id, int priority = 1) {
  rotation::Candidate made;
  made.limit_group = id;
  made.key = std::move(id);
  made.priority = priority;
  made.state = model::KeyState::healthy;
  made.verdict = model::Verdict::ok;
  made.verified = true;
  made.last_ok_at = kNow - std::chrono::minutes(1);
  made.secret_loaded = true;
  return made;
}

inline rotation::Candidate key_in(std::string group, std::string id) {
  rotation::Candidate made = key(std::move(id));
  made.limit_group = std::move(group);
  return made;
}

inline rotation::Candidate key_that_is(model::KeyState state, std::string id) {
  rotation::Candidate made = key(std::move(id));
  made.state = state;
  return made;
}

inline model::QuotaStatus quota(std::int64_t used, std::int64_t limit,
                                model::QuotaUnit unit = model::QuotaUnit::tokens) {
  model::QuotaStatus made;
  made.quota = "daily";
  made.unit = unit;
  made.used = used;
  made.limit = limit;
  made.window_length = std::chrono::hours(24);
  return made;
}

inline model::Rotation rotation_to(std::string to, WallTime at,
                                   model::RotationState state = model::RotationState::committed) {
  model::Rotation made;
  made.id = "r-" + to;
  made.pool = "prod";
  made.to = std::move(to);
  made.state = state;
  made.trigger = model::RotationTrigger::schedule;
  made.actor = "agent";
  made.started_at = at;
  made.updated_at = at;
  return made;
}

// Owns what a Situation borrows. The first member is active, since an hour.
struct Herd {
  model::Pool pool;
  model::PoolState state;
  std::vector<rotation::Candidate> members;
  std::vector<model::Rotation> history;
  WallTime now = kNow;
  std::optional<model::Freeze> freeze;

  explicit Herd(std::vector<rotation::Candidate> keys,
                model::Strategy strategy = model::Strategy::round_robin)
      : members(std::move(keys)) {
    pool.id = "prod";
    pool.strategy = strategy;
    for (const rotation::Candidate& member : members)
      pool.keys.push_back(member.key);
    state.pool = "prod";
    state.active = members.empty() ? "" : members.front().key;
    state.generation = 7;
    state.decided_at = now - std::chrono::hours(1);
    state.switched_at = now - std::chrono::hours(1);
  }

  [[nodiscard]] rotation::Situation situation() const {
    return {pool, state, members, history, now, freeze};
  }
  [[nodiscard]] auto plan(const rotation::Request& request) const {
    return rotation::plan(situation(), request);
  }
  [[nodiscard]] auto wanted() const { return rotation::wanted(situation()); }
};

inline rotation::Request by_schedule() {
  rotation::Request request;
  request.trigger = model::RotationTrigger::schedule;
  return request;
}

inline rotation::Request by_hand(std::optional<std::string> to = std::nullopt) {
  rotation::Request request;
  request.to = std::move(to);
  request.actor = "admin";
  request.by_person = true;
  return request;
}

inline rotation::Request emergency(
    model::RotationTrigger trigger = model::RotationTrigger::invalid_key) {
  rotation::Request request;
  request.trigger = trigger;
  request.urgent = true;
  return request;
}

}  // namespace keyherd::test
