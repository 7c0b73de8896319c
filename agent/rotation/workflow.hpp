#pragma once

// How a switch goes: a journal of idempotent steps. Pure functions over the journal's row: the
// engine commits what a Transition says, and only then runs its next step; what the step reports
// makes the next Transition. After a crash, resume() continues from whatever was committed last.
//
//   planned ──probe──► verified ──files──► published ──hooks──► committed
//      │                  │                    └── a hook or file given up: needs_human
//      │                  ├── no file could be written, nothing changed: rolled_back
//      │                  └── some written: the previous key again, if it works: rolled_back,
//      │                                    else go on, the rest is retried with the hooks
//      └── the new key is not proven: refused
//
// The pool's state moves with `published`: consumers of files and of the API have the new key from
// then on. `generation` is the one being published: the pool's + 1 on the way forward, + 2 on the
// way back, for consumers may have seen + 1 already. That is also how resume() knows the direction.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "model/pool.hpp"
#include "rotation/planner.hpp"

namespace keyherd::rotation {

struct StepRequest {
  enum class Kind {
    verify,   // probe `key`; the engine does it, through its probe workers
    publish,  // write the file targets
    restore,  // write the previous key to the file targets that may hold the new one
    deliver,  // call the hooks, and write files that failed where there is no way back
    refresh,  // write the file targets again: same key, same generation, new validity; no rotation
  };
  Kind kind = Kind::verify;
  std::string rotation;  // of a refresh: the one that made the decision
  std::string pool;
  std::string key;  // the engine adds this key's secret when it runs the step
  std::int64_t generation = 0;
  std::vector<model::PublishTarget> targets;  // in the pool's order; none for verify
  WallTime published_at;
  WallTime valid_until;
  int attempt = 1;
  std::chrono::nanoseconds delay{0};  // to wait before it is run
  bool after_crash = false;  // the step may have been run before: nothing is known of its effects
  bool counted = false;      // a failed hook of this rotation was counted already
};

struct TargetOutcome {
  model::PublishTarget target;
  Status status;
};

struct StepDone {
  StepRequest request;
  Status verified;                      // of verify: an error says why the key is not proven
  std::vector<TargetOutcome> outcomes;  // of the others: one a target, in order
};

struct Transition {
  model::Rotation rotation;                       // the journal's row, to be committed
  std::optional<model::PoolState> pool;           // to be committed with it
  std::optional<StepRequest> next;                // to be run once both are committed
  std::optional<model::RotationFailure> failure;  // to be counted
  bool probe_now = false;  // the switch trusted earlier evidence: probe the new key at once
};

struct WorkflowContext {
  const model::Pool& pool;
  const model::PoolState& state;
  // Whether consumers could go on with the rotation's `from`: it is usable and its secret is
  // loaded.
  bool previous_works = false;
  std::optional<WallTime> expires_at;  // of the key that is published
  WallTime now;
};

inline constexpr int kDeliveryAttempts = 6;  // the first and five more, after 1, 2, 4, 8, 16 s
inline constexpr std::chrono::seconds kFirstDelay{1};
inline constexpr std::chrono::seconds kLongestDelay{60};

// "20260501T030000123Z-5f1c09ae": unique, sorts by time, fit for paths and environment variables.
std::string make_rotation_id(WallTime now, Random& random);

// published_at + the pool's validity, but not beyond the key's own expiry.
WallTime valid_until(const model::Pool& pool, std::optional<WallTime> expires_at,
                     WallTime published_at);

Transition begin(const WorkflowContext& context, const Plan& plan, std::string id);

// Nothing when `done` does not belong to the row's present step (a late or second report) or was
// cancelled by a shutdown: the row stays, and resume() continues it.
std::optional<Transition> advance(const WorkflowContext& context, const model::Rotation& rotation,
                                  const StepDone& done);

// What to do with a row that was found unfinished at a start. Every effect may have happened.
Transition resume(const WorkflowContext& context, const model::Rotation& rotation);

// Ends a rotation without a further step: overtaken by an emergency, or its pool is gone. What is
// not live is refused, what may be half live needs a human, what is live is committed.
Transition abandon(const model::Rotation& rotation, std::string why, WallTime now);

// Whether only hooks are outstanding: its key is live, so an emergency need not wait for it.
bool can_be_overtaken(const model::Rotation& rotation);

// The active key to be written to the pool's files again; `state` with the new times is committed
// after the step succeeded. Precondition: the pool has an active key.
StepRequest refresh(const WorkflowContext& context);

}  // namespace keyherd::rotation
