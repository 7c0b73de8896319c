#pragma once

// What the tracker keeps of one key: the belief that survives a restart, and what only this run
// knows. For the health folder alone.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"
#include "health/tracker.hpp"

namespace keyherd::health {

// Failures of one class since the last success: what common cause looks at.
struct Trouble {
  model::VerdictClass kind = model::VerdictClass::provider;
  model::VerdictScope scope = model::VerdictScope::key;  // of the last failure
  SteadyTime since;
  SteadyTime last;
  int count = 0;
};

// A time in which a key is to be left alone.
struct Cooldown {
  std::optional<SteadyTime> ends;      // nothing: none runs
  bool stated = false;                 // by the provider
  std::chrono::nanoseconds length{0};  // of the last computed one
  std::optional<SteadyTime> last_end;  // of the last one that ended
  int in_a_row = 0;                    // computed ones that followed each other closely
};

// How often a key that was trusted again turned out bad again: each time within a day doubles the
// successes that it needs.
struct Relapses {
  int count = 0;
  std::optional<SteadyTime> last;
};

// Answers "slow down" to real use that did not say for how long.
struct Slowdowns {
  SteadyTime since;
  SteadyTime last;
  std::int64_t count = 0;
};

struct Record {
  KeyFacts facts;
  model::KeyHealth health;
  std::optional<Trouble> trouble;
  Cooldown cooldown;
  // The provider asked for it with a failure that is not the key's: no probe before.
  std::optional<SteadyTime> quiet_until;
  Relapses relapses;
  std::optional<SteadyTime> observed_at;  // last evidence of any kind
  std::optional<SteadyTime> probed_at;
  std::optional<SteadyTime> success_at;  // when the last success came in, and how many came then
  std::int64_t successes_then = 0;
  int proofs = 0;  // successes in a row that count towards leaving `dead` or `degraded`
  std::optional<model::ProbeKind> degraded_by;  // the probe that was denied; nothing: real use was
  model::Verdict exhausted_by = model::Verdict::quota_exhausted;
  bool urgent = false;                   // the next probe is due at once
  bool wants_paid = false;               // and must show that money can be spent
  std::optional<SteadyTime> doubted_at;  // because of a sibling in the limit group
  std::optional<SteadyTime> died_at;
  std::optional<Slowdowns> slowdowns;  // since the key was last of use
};

// Within this time failures of several keys are seen together: two probe intervals, at least 2 min.
inline std::chrono::nanoseconds window_of(const Record& record) {
  return std::max<std::chrono::nanoseconds>(2 * record.facts.probe.every, std::chrono::minutes(2));
}

// The moment of a step, and when the evidence in it happened by the steady clock.
struct Moment {
  Instant now;
  SteadyTime happened;
};

}  // namespace keyherd::health
