#pragma once

// Whether a pool wants another key, and to which key it may go now. Pure: the engine asks after
// every change that concerns a pool, and again at Refusal::until. Nothing here starts anything; a
// Plan is handed to workflow.hpp (or, for a dry run, only shown).

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "rotation/situation.hpp"

namespace keyherd::rotation {

struct Request {
  model::RotationTrigger trigger = model::RotationTrigger::manual;
  std::optional<std::string> to;  // this key and no other
  std::string reason;             // one sentence, kept in the journal
  std::string actor = "agent";    // or the role of the token that asked
  // A person asked: min_stay, budget, breaker and incident do not hold it back.
  bool by_person = false;
  // Each moment on the active key costs requests: goes at once to a key with fresh good evidence,
  // without min_stay, and may overtake a rotation that only waits for its hooks.
  bool urgent = false;
};

struct Plan {
  std::string pool;
  std::string from;  // empty at the first publication
  std::string to;
  model::RotationTrigger trigger = model::RotationTrigger::manual;
  std::string reason;
  std::string actor;
  // Probe `to` before anything is published; else its evidence is fresh enough for an emergency and
  // the probe follows the switch.
  bool verify_first = true;
  // `to` gets a new secret first.
  bool mint = false;
  std::string supersedes;  // the rotation to close first (workflow: abandon); usually empty
};

// What held a request back.
enum class Guard {
  conflict,         // a rotation of the pool is in progress
  frozen,           // somebody froze the pool, or a freeze window is open
  back_off,         // the last one failed, or did not prove this key, a moment ago
  breaker,          // too many failed in a row: only people and emergencies may go on
  budget,           // too many automatic switches within the hour
  min_stay,         // the active key was switched to a moment ago
  recovery_wait,    // the better key has not been healthy again for long
  incident,         // the active key's provider has an incident
  already_active,   // the wanted key is the active one
  unknown_key,      // the pool has no such key
  unfit_key,        // the wanted key must not be used now
  last_usable_key,  // the active key is the only one that works
  no_candidate,     // no key works
  no_slot,          // no key of the pool is free for a new secret
  min_available,    // fewer usable keys than the pool must have would be left
};
std::string_view to_string(Guard guard);

struct Refusal {
  Guard guard = Guard::no_candidate;
  std::string message;  // one line for people: what, why, how to mend
  // To be counted, once until the message changes. None when a guard only did its work.
  std::optional<model::RotationFailure> failure;
  std::optional<WallTime> until;  // when asking again makes sense, if a time is known
};

tl::expected<Plan, Refusal> plan(const Situation& situation, const Request& request);

// Whether events call for a switch: no active key yet; the active one removed from the pool,
// expired, paused, out of quota, or in a state of rotate_on; or (strategy priority) events took the
// pool away from a key of higher priority, and that is fit again. While the active key's provider
// has an incident: nothing, or with `incident` in rotate_on a key at another provider, if one is
// fit.
std::optional<Request> wanted(const Situation& situation);

// The request of a schedule's fire.
Request scheduled(const model::Pool& pool);

// A plan as the steps it would take, one line each: what `--dry-run` shows.
std::vector<std::string> describe(const Plan& plan, const model::Pool& pool);

// The decision on the active key is to be published again (same key and generation), because half
// its validity has passed.
bool refresh_due(const model::Pool& pool, const model::PoolState& state, WallTime now);

}  // namespace keyherd::rotation
