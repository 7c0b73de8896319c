#pragma once

// A pool's member as the choice of the next key sees it, and what makes one fit to be chosen. Plain
// values made by the engine from its beliefs; every function here is pure.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "model/money.hpp"
#include "model/pool.hpp"
#include "model/quota_status.hpp"
#include "model/verdict.hpp"

namespace keyherd::rotation {

struct Candidate {
  std::string key;
  std::string limit_group;  // the key's own id when it is alone
  int priority = 1;
  model::KeyState state = model::KeyState::unknown;
  model::Verdict verdict =
      model::Verdict::network;  // the last that counted; tells quota from balance
  // The latest evidence is ok and was gathered since the secret was (re)loaded.
  bool verified = false;
  std::optional<WallTime> last_ok_at;
  std::chrono::nanoseconds probe_interval = std::chrono::minutes(5);
  bool secret_loaded = false;
  bool drilled = false;  // to be treated as revoked, for a drill
  bool frozen =
      false;  // its provider has an incident: nothing seen now says anything about the key
  // Since when it is in its state, if that is known.
  std::optional<WallTime> state_since;
  bool recovered = false;             // that state followed one in which it was out of service
  std::optional<double> error_ratio;  // of its logged requests; none without enough of them
  std::int64_t tokens_used = 0;       // logged so far, by all time
  std::optional<std::chrono::nanoseconds> latency;  // of its latest requests; none without any
  // Of a million of the tokens that the pool uses, now; none: not known or not asked for.
  std::optional<model::NanoUsd> price;
  bool dear = false;                       // its provider charges less at other hours
  bool by_the_hour = false;                // its price is not the same at all hours
  std::vector<model::QuotaStatus> quotas;  // of the key and of its limit group
  std::optional<WallTime> cooldown_until;  // of throttled and exhausted, for messages
  std::optional<WallTime> expires_at;
  // Whether it can get a new secret from the pool's issuer: its own may be ended for it.
  enum class Slot { none, free, busy };
  Slot slot = Slot::none;
  std::string slot_note;  // what makes it busy, as the end of a sentence about it
};

// How much is asked of a candidate. Whatever is asked: not dead, paused, throttled, exhausted or
// expired, its secret loaded, its provider without an incident.
enum class Demand {
  proven,   // healthy, verified, few errors
  at_need,  // an emergency without a better key: verified, but degraded or with many errors will do
  named,    // a person names it: that will do too, and a probe before the switch verifies it
};

// Why the key must not be switched to, as the end of a sentence about it ("is dead"); nothing when
// it may be. Never empty for an unverified key, except with Demand::named.
std::optional<std::string> unfit(const model::Pool& pool, const Candidate& candidate, Demand demand,
                                 WallTime now);

// The members that may be handed out, in the pool's order. They point into `members`.
std::vector<const Candidate*> usable(const model::Pool& pool, const std::vector<Candidate>& members,
                                     WallTime now);

// Whether the ok of a verified candidate is at most two probe intervals old.
bool is_fresh(const Candidate& candidate, WallTime now);

// Units of the quota that must be left for a key to be chosen. A limit that is itself no larger
// than the pool's minimum (60 requests a minute) could never leave that much, and 100 nano-dollars
// mean nothing.
std::int64_t reserve(const model::Pool& pool, const model::QuotaStatus& quota);
// What part of its full share the key may carry: 1, and less while it ramps up after a recovery
// (the pool's `ramp`), never 0. Whoever hands out keys one by one gives it that share; a pool of
// one active key prefers others meanwhile.
double share_of(const model::Pool& pool, const Candidate& candidate, WallTime now);
// The same for a ramp of which the times are known.
double ramp_share(WallTime from, WallTime until, WallTime now);
// When it carries its full share again; nothing: it does.
std::optional<WallTime> ramps_until(const model::Pool& pool, const Candidate& candidate,
                                    WallTime now);

// The first quota of which the pool's strategy needs more than is left (quota_aware keeps a
// minimum, the others use a quota up); null when none.
const model::QuotaStatus* spent_quota(const model::Pool& pool, const Candidate& candidate);

// Whether anything of the pool's choice depends on prices.
bool depends_on_prices(const model::Pool& pool);

// Null when the pool has no such member.
const Candidate* find(const std::vector<Candidate>& members, std::string_view key);

}  // namespace keyherd::rotation
