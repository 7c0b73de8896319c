#pragma once

// What the agent believes of one key, and why. Survives a restart.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "model/evidence.hpp"
#include "model/verdict.hpp"

namespace keyherd::model {

struct KeyHealth {
  std::string key;
  KeyState state = KeyState::unknown;
  Verdict verdict = Verdict::network;  // the last one that counted
  bool has_verdict = false;
  WallTime since;                          // of the state
  std::string why;                         // one sentence: what the state was derived from
  std::optional<WallTime> cooldown_until;  // throttled, exhausted: when to look again
  int consecutive_failures = 0;            // probes in a row that were not ok
  int consecutive_successes = 0;           // ok in a row, from any source
  int auth_strikes = 0;                    // proofs of refusal in a row
  bool paused = false;                     // by hand; wins over every other state
  std::optional<WallTime> last_probe_at;
  std::optional<WallTime> last_success_at;
};

// A change of belief with what led to it.
struct StateChange {
  std::string key;
  KeyState from = KeyState::unknown;
  KeyState to = KeyState::unknown;
  Verdict verdict = Verdict::ok;
  WallTime at;
  std::string why;
};

// What was believed of a key at a moment, and what had led to it.
struct KeyStory {
  std::string key;
  WallTime at;
  KeyState state = KeyState::unknown;
  std::optional<Verdict> verdict;  // of the evidence that made the state
  std::optional<WallTime> since;   // nothing: before all that is kept
  std::string why;
  std::vector<StateChange> changes;  // up to that moment, newest first, bounded
  std::vector<Evidence> evidence;    // the same
};

}  // namespace keyherd::model
