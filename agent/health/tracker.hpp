#pragma once

// Evidence in, KeyState out: what the agent believes of each key, with hysteresis, cool-downs and
// the judgement whether keys that fail together are bad or their provider is down. docs/health.md
// tells the rules in words. Pure: time comes in as a parameter, nothing waits, nothing is drawn by
// lot. One owner, one thread (the loop).

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "model/evidence.hpp"
#include "model/health.hpp"
#include "model/provider.hpp"
#include "model/verdict.hpp"

namespace keyherd::health {

// What the tracker must know of a key.
struct KeyFacts {
  std::string id;
  std::string provider;
  std::string limit_group;  // never empty: a key that is alone is its own group
  model::ProbeSettings
      probe;  // failures_to_dead, successes_to_healthy, confirm_after, every, method
};

// The keys of one provider fail alike: the provider (or the way to it) is to blame. While it lasts
// no key of the provider becomes dead, exhausted or degraded.
struct Incident {
  std::string provider;
  model::VerdictClass kind = model::VerdictClass::provider;  // auth, rate or provider
  WallTime since;
  std::string why;  // one sentence
};

struct IncidentChange {
  Incident incident;
  bool open = false;  // false: it has ended
  WallTime at;
  std::string why;  // one sentence: why it began, or why it ended
};

// Two keys of different limit groups that behave as one account.
struct SharedAccount {
  std::string a;
  std::string b;
  std::string why;  // one sentence
};

// What a call changed.
struct Change {
  std::vector<model::KeyHealth> health;     // to be stored: one entry a key, as it is now
  std::vector<model::StateChange> changes;  // in the order in which they happened
  std::vector<IncidentChange> incidents;
  std::vector<SharedAccount> shared_accounts;  // each pair once
  std::vector<std::string> probe_soon;         // keys whose next probe is due at once

  [[nodiscard]] bool empty() const {
    return health.empty() && changes.empty() && incidents.empty() && shared_accounts.empty() &&
           probe_soon.empty();
  }
};

// When a key's next probe is due, without jitter.
struct ProbePlan {
  std::chrono::nanoseconds wait{0};  // from now; 0: at once
  bool not_before = false;           // a cool-down: jitter may only make it later
  bool urgent = false;               // asked for, before its usual time
  bool paid = false;  // only a paid probe (chat) or a balance can answer the open question
  // From one probe to the next as the key is now, cool-downs left out.
  std::chrono::nanoseconds interval{0};
};

class Tracker {
 public:
  Tracker();
  ~Tracker();
  Tracker(Tracker&&) noexcept;
  Tracker& operator=(Tracker&&) noexcept;

  // The keys there are from now on. Keys that stay keep their beliefs, new ones are `unknown` (and
  // in the Change), others are forgotten; an incident of a provider without keys ends.
  Change configure(std::vector<KeyFacts> keys, Instant now);
  // Beliefs of an earlier run, for configured keys; called once, after the first configure.
  void restore(const std::map<std::string, model::KeyHealth>& health, Instant now);

  // One piece of evidence. Of a batch of log lines give the successes first, all with the same
  // `now`. Evidence of unknown keys, and log evidence that is superseded or older than 10 minutes,
  // changes nothing.
  Change observe(const model::Evidence& evidence, Instant now);

  // By hand; `actor` goes into the explanation. Pausing a paused key, resuming one that is not, and
  // unknown keys change nothing. A resumed key is `unknown` until its next evidence.
  Change pause(const std::string& key, const std::string& actor, Instant now);
  Change resume(const std::string& key, const std::string& actor, Instant now);
  // The old evidence no longer applies, `why` says why ("its secret was replaced"): the key is
  // `unknown` again, its counters are zero. A paused key stays paused.
  Change forget(const std::string& key, const std::string& why, Instant now);
  // A quota window that the key was waiting for has begun anew: an exhausted key is `unknown`
  // again.
  Change quota_reset(const std::string& key, Instant now);

  // Cool-downs and incidents that end by time. Due at next_deadline(), harmless at any time.
  Change tick(Instant now);
  [[nodiscard]] std::optional<SteadyTime> next_deadline() const;

  // The belief about a configured key; null for others. Valid until the next non-const call.
  [[nodiscard]] const model::KeyHealth* health(const std::string& key) const;
  // The provider's incident, if one is open.
  [[nodiscard]] std::optional<Incident> incident(const std::string& provider) const;
  // When to probe the key next; nothing for paused and unknown keys. Asked after each change.
  [[nodiscard]] std::optional<ProbePlan> next_probe(const std::string& key, Instant now) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyherd::health
