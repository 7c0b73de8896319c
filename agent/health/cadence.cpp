#include "health/cadence.hpp"

#include <algorithm>

namespace keyherd::health {

namespace {

using model::KeyState;
using std::chrono::nanoseconds;

constexpr std::chrono::hours kLongestThrottling{24};
// Beyond a month no reset is meant: such a time is a provider's slip and is not believed.
constexpr std::chrono::hours kLongestStated{32 * 24};

struct BackOff {
  nanoseconds base;
  nanoseconds cap;
};
constexpr BackOff kThrottling{std::chrono::seconds(5), std::chrono::minutes(10)};
constexpr BackOff kExhaustion{std::chrono::minutes(5), std::chrono::minutes(15)};
constexpr std::chrono::minutes kCloseTogether{1};
// A provider that is down does not know for how long; what it says of speed is believed for a day.
constexpr std::chrono::hours kLongestQuiet{1};
// A key that is bad again within a day needs twice the successes, at most 32 times as many.
constexpr std::chrono::hours kRelapse{24};
constexpr int kMostRelapses = 5;
constexpr std::chrono::hours kDeadEvery{1};

// base × 2^n, at most cap.
nanoseconds grown(nanoseconds base, int n, nanoseconds cap) {
  for (; n > 0 && base < cap; --n)
    base *= 2;
  return std::min(base, cap);
}

// How long the provider said, if it said something believable.
std::optional<nanoseconds> stated_wait(const model::Evidence& evidence, Instant now) {
  if (!evidence.retry_at || *evidence.retry_at <= now.wall)
    return std::nullopt;
  const nanoseconds wait = *evidence.retry_at - now.wall;
  return wait <= kLongestStated ? std::optional(wait) : std::nullopt;
}

void begin(Record& record, Instant now, nanoseconds wait, bool stated) {
  record.cooldown.ends = now.steady + wait;
  record.cooldown.stated = stated;
  record.health.cooldown_until = now.wall + wait;
}

void begin_computed(Record& record, Instant now, const BackOff& back_off) {
  Cooldown& cooldown = record.cooldown;
  const bool followed =
      cooldown.last_end &&
      now.steady - *cooldown.last_end <= std::max<nanoseconds>(cooldown.length, kCloseTogether);
  cooldown.in_a_row = followed ? std::min(cooldown.in_a_row + 1, 32) : 0;
  cooldown.length = grown(back_off.base, cooldown.in_a_row, back_off.cap);
  begin(record, now, cooldown.length, false);
}

// A stated end replaces a computed one, and prolongs but never shortens a stated one; a computed
// one never touches a cool-down that runs.
void start(Record& record, const model::Evidence& evidence, Instant now, const BackOff& back_off,
           nanoseconds longest) {
  if (const auto stated = stated_wait(evidence, now)) {
    const nanoseconds wait = std::min(*stated, longest);
    const bool shorter = record.cooldown.ends && record.cooldown.stated &&
                         *record.cooldown.ends >= now.steady + wait;
    if (!shorter)
      begin(record, now, wait, true);
  } else if (!record.cooldown.ends) {
    begin_computed(record, now, back_off);
  }
}

// From the last probe; at once when there was none.
nanoseconds since_last_probe(const Record& record, nanoseconds interval, Instant now) {
  if (!record.probed_at)
    return nanoseconds(0);
  return std::max<nanoseconds>(nanoseconds(0), *record.probed_at + interval - now.steady);
}

nanoseconds interval_of(const Record& record, bool frozen) {
  const auto& probe = record.facts.probe;
  const nanoseconds confirm = std::min(probe.confirm_after, probe.every);
  const bool recovering = record.proofs > 0 && (record.health.state == KeyState::dead ||
                                                record.health.state == KeyState::degraded);
  if (recovering)
    return confirm;
  if (record.health.state == KeyState::dead)
    return std::max(probe.every, std::min<nanoseconds>(12 * probe.every, kDeadEvery));
  if (record.health.auth_strikes > 0 && !frozen)
    return confirm;
  // Of a provider that fails, or keys it refuses alike: quickly at first, then at the usual pace.
  if (record.trouble && record.health.consecutive_failures > 0)
    return grown(confirm, record.health.consecutive_failures - 1, probe.every);
  return probe.every;
}

}  // namespace

bool is_longer_than_throttling(const model::Evidence& evidence, Instant now) {
  const auto stated = stated_wait(evidence, now);
  return stated && *stated > kLongestThrottling;
}

void start_throttling(Record& record, const model::Evidence& evidence, Instant now) {
  start(record, evidence, now, kThrottling, kLongestThrottling);
}

void start_exhaustion(Record& record, const model::Evidence& evidence, Instant now) {
  // A cool-down for speed is not one for money.
  if (record.health.state != KeyState::exhausted)
    record.cooldown = Cooldown{};
  start(record, evidence, now, kExhaustion, kLongestStated);
}

void keep_quiet(Record& record, const model::Evidence& evidence, Instant now) {
  const auto stated = stated_wait(evidence, now);
  if (!stated)
    return;
  const bool about_speed = model::info(evidence.verdict).kind == model::VerdictClass::rate;
  const nanoseconds longest = about_speed ? kLongestThrottling : kLongestQuiet;
  const SteadyTime until = now.steady + std::min(*stated, longest);
  record.quiet_until = std::max(record.quiet_until.value_or(until), until);
}

void note_relapse(Record& record, SteadyTime now) {
  Relapses& relapses = record.relapses;
  const bool again = relapses.last && now - *relapses.last <= kRelapse;
  relapses.count = again ? std::min(relapses.count + 1, kMostRelapses) : 0;
  relapses.last = now;
}

int successes_needed(const Record& record) {
  return record.facts.probe.successes_to_healthy << record.relapses.count;
}

void end_cooldown(Record& record, SteadyTime now) {
  if (record.cooldown.ends)
    record.cooldown.last_end = now;
  record.cooldown.ends.reset();
  record.health.cooldown_until.reset();
}

ProbePlan plan_probe(const Record& record, Instant now, bool frozen) {
  ProbePlan plan;
  plan.interval = interval_of(record, frozen);
  plan.urgent = record.urgent;
  plan.paid = record.wants_paid || record.health.state == KeyState::exhausted;
  if (record.cooldown.ends) {
    plan.wait = std::max<nanoseconds>(nanoseconds(0), *record.cooldown.ends - now.steady);
    plan.not_before = true;
  } else if (!record.urgent) {
    plan.wait = since_last_probe(record, plan.interval, now);
  }
  if (record.quiet_until && *record.quiet_until > now.steady + plan.wait) {
    plan.wait = *record.quiet_until - now.steady;
    plan.not_before = true;
    if (record.probed_at)
      plan.interval = std::max<nanoseconds>(plan.interval, *record.quiet_until - *record.probed_at);
  }
  return plan;
}

}  // namespace keyherd::health
