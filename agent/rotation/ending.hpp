#pragma once

// How a secret at a provider ends: one row of the store, one step at a time, until it is refused.
// Pure, like workflow.hpp: the engine commits what an Ending says and only then runs its step.
//
//   leaving ──overlap over, nobody uses it──► revoking ──the issuer says so──► confirming ──it is
//      │                                      (or a person is asked)           refused──► ended
//      └── its key is active again: called off
//
// Nothing here gives up: what cannot be ended stays, with a note, and is tried again, at the most
// ten minutes later.

#include <optional>
#include <string>

#include "model/credential.hpp"
#include "rotation/workflow.hpp"

namespace keyherd::rotation {

struct EndingFacts {
  model::RotationMode mode = model::RotationMode::switch_;
  // The credential is the present secret of its key, and that is active in some pool, or becoming
  // so.
  bool in_use = false;
  // The pool's active key is usable, and without this one the pool has as many usable keys as it
  // must have.
  bool replaced = false;
  // The key was refused already: nobody can use it.
  bool refused = false;
  std::optional<WallTime> last_used_at;  // of the key, in the usage logs
  std::chrono::nanoseconds quiet_for{0};
  // The agent has its secret, and can see whether it is refused.
  bool can_probe = false;
  WallTime now;
};

struct Ending {
  model::Credential credential;  // to be committed, or dropped when `over`
  std::optional<StepRequest> next;
  bool called_off = false;
  bool over = false;                  // called off a credential that was never made, or ended
  bool begins = false;                // its key is taken out of service from here on
  std::optional<WallTime> ask_again;  // while it is leaving
};

inline constexpr std::chrono::minutes kLongestEndingDelay{10};

// For a credential that is `leaving`; nothing when nothing changed (ask_again() says when to look).
Ending consider_ending(const model::Credential& credential, const EndingFacts& facts);

// After a revoke or a refusal step.
Ending advance_ending(const model::Credential& credential, const EndingFacts& facts,
                      const StepDone& done);

// The step of a row found at a start in `revoking` or `confirming`.
std::optional<StepRequest> resume_ending(const model::Credential& credential,
                                         const EndingFacts& facts);

}  // namespace keyherd::rotation
