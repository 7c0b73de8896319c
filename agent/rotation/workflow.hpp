#pragma once

// How a switch goes: a journal of idempotent steps. Pure functions over the journal's row: the
// engine commits what a Transition says, and only then runs its next step; what the step reports
// makes the next Transition. After a crash, resume() continues from whatever was committed last.
//
//   planned ──mint──► minted ──probes──┐
//      └─────────────probe─────────────┴─► staged ──files──► published ──hooks, probe──► verified
//                                                                                           │
//                           retired ◄──ended and refused── retiring ◄── committed ◄──adopted┘
//
//   refused      the new key is not proven; nothing has changed
//   rolled_back  no file could be written; or the new key, once published, did not work or nobody
//                used it: the previous key is published again, if it works
//   needs_human  some consumer may have the wrong key and the agent cannot mend it
//
// The pool's state moves with `published`: consumers of files and of the API have the new key from
// then on. `generation` is the one being published: the pool's + 1 on the way forward, and one more
// on the way back, for consumers may have seen the first. A row on its way back is `staged` again.
// What becomes of secrets at the provider is told in `credentials` (ending.hpp).

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "model/credential.hpp"
#include "model/pool.hpp"
#include "rotation/planner.hpp"

namespace keyherd::rotation {

struct StepRequest {
  enum class Kind {
    verify,   // probe `key` before it is published; the engine does it, through its probe workers
    mint,     // have the issuer make the credential
    publish,  // write the file targets
    restore,  // tell the previous key to the targets that may have the new one
    deliver,  // call the hooks, and write files that failed where there is no way back
    confirm,  // probe `key` once it is published
    refresh,  // write the file targets again: same key, same generation, new validity; no rotation
    revoke,   // have the issuer end the credential (ending.hpp)
    refusal,  // probe the secret that was ended: it must be refused
  };
  Kind kind = Kind::verify;
  std::string rotation;  // of a refresh: the one that made the decision
  std::string pool;
  std::string key;  // the engine adds this key's secret when it runs the step
  std::int64_t generation = 0;
  std::vector<model::PublishTarget> targets;  // in the pool's order; of the publishing steps
  WallTime published_at;
  WallTime valid_until;
  int attempt = 1;
  std::chrono::nanoseconds delay{0};  // to wait before it is run
  bool after_crash = false;  // the step may have been run before: nothing is known of its effects
  bool counted = false;      // a failed hook of this rotation was counted already
  std::string credential;    // its name; of mint, revoke and refusal
  std::string remote_id;     // of revoke
  std::string issuer;        // of mint and revoke
  bool held = false;         // verify: the secret that was minted, not yet the key's
  bool paid = false;         // a probe that spends: what consumers do
  int proofs = 0;            // verify: successes so far
};

struct TargetOutcome {
  model::PublishTarget target;
  Status status;
};

struct StepDone {
  StepRequest request;
  // Of everything but the publishing steps. Of probes: unavailable when the answer says nothing
  // about the key, denied when it does.
  Status status;
  std::vector<TargetOutcome> outcomes;   // of the publishing steps: one a target, in order
  std::shared_ptr<const Secret> secret;  // of mint (and of revoke, where a slot got a new one)
  std::string remote_id;                 // of mint
  std::optional<WallTime> expires_at;    // of mint
};

// What happens to the secret that was minted, in the transaction that commits the transition.
enum class HeldSecret {
  untouched,
  hold,     // it is sealed, beside the key's own
  adopt,    // it becomes the key's
  discard,  // it is forgotten
};

struct Transition {
  model::Rotation rotation;                       // the journal's row, to be committed
  std::optional<model::PoolState> pool;           // to be committed with it
  std::vector<model::Credential> credentials;     // the same
  HeldSecret held = HeldSecret::untouched;        // the same
  std::optional<StepRequest> next;                // to be run once all are committed
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
  // The row's own credential, once there is one.
  std::optional<model::Credential> minted{};
  // What must end once `from` is left, as it is to be stored; none: nothing is ours to end.
  std::optional<model::Credential> ending{};
  std::string kept_because{};  // why not, for the journal
  // Adoption: the newest requests in the usage logs, by their own times.
  bool has_logs = false;
  std::optional<WallTime> to_used_at{};
  std::optional<WallTime> from_used_at{};
};

inline constexpr int kDeliveryAttempts = 6;  // the first and five more, after 1, 2, 4, 8, 16 s
inline constexpr std::chrono::seconds kFirstDelay{1};
inline constexpr std::chrono::seconds kLongestDelay{60};
inline constexpr int kMintAttempts = 6;
inline constexpr int kConfirmAttempts = 5;
inline constexpr int kProofs = 2;                       // of a minted key, before it is published
inline constexpr std::chrono::hours kLongestPause{24};  // while the provider is away

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

// A row in `verified` waits for the usage logs: nothing while there is nothing to decide. To be
// asked whenever a log was read, and at adoption_due().
std::optional<Transition> watch(const WorkflowContext& context, const model::Rotation& rotation);
std::optional<WallTime> adoption_due(const model::Pool& pool, const model::Rotation& rotation);

// What to do with a row that was found unfinished at a start. Every effect may have happened.
Transition resume(const WorkflowContext& context, const model::Rotation& rotation);

// Ends a rotation without a further step: overtaken by an emergency, or its pool is gone. What is
// not live is refused or rolled back, what may be half live needs a human, what is live is
// committed.
Transition abandon(const WorkflowContext& context, const model::Rotation& rotation,
                   std::string why);

// What the row waits for ends with its credential: called off (its key is active again), or done.
Transition ended(const model::Rotation& rotation, bool called_off, std::string note, WallTime now);

// Whether an emergency need not wait for it: its key is live, or nothing of it is published yet.
bool can_be_overtaken(const model::Rotation& rotation);

// When it succeeded; a row that has is `committed`, or retires the last key, or has retired it.
std::optional<WallTime> committed_at(const model::Rotation& rotation);

// Whether it holds up others: everything but a row that has ended or only retires the last key.
bool is_in_progress(const model::Rotation& rotation);

// The active key to be written to the pool's files again; `state` with the new times is committed
// after the step succeeded. Precondition: the pool has an active key.
StepRequest refresh(const WorkflowContext& context);

}  // namespace keyherd::rotation
