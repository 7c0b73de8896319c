#include "health/tracker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "health/beliefs.hpp"
#include "health/cadence.hpp"
#include "health/common_cause.hpp"
#include "health/record.hpp"

namespace keyherd::health {

namespace {

using model::KeyState;
using model::VerdictClass;

// Collects what a call changes; each key once, as it is at the end.
class Changes {
 public:
  void touch(const Record& record) { touched_.emplace(record.facts.id, &record); }
  void ask(Record& record) {
    if (record.health.paused)
      return;
    record.urgent = true;
    if (asked_.insert(record.facts.id).second)
      change_.probe_soon.push_back(record.facts.id);
  }
  void add(IncidentChange incident) { change_.incidents.push_back(std::move(incident)); }
  void add(SharedAccount pair) { change_.shared_accounts.push_back(std::move(pair)); }
  void add(model::StateChange change) { change_.changes.push_back(std::move(change)); }
  Change take() {
    for (const auto& [id, record] : touched_)
      change_.health.push_back(record->health);
    return std::move(change_);
  }

 private:
  Change change_;
  std::map<std::string, const Record*> touched_;
  std::set<std::string> asked_;
};

}  // namespace

class Tracker::Impl {
 public:
  Change configure(std::vector<KeyFacts> keys, Instant now);
  void restore(const std::map<std::string, model::KeyHealth>& health, Instant now);
  Change observe(const model::Evidence& evidence, Instant now);
  Change pause(const std::string& key, const std::string& actor, Instant now);
  Change resume(const std::string& key, const std::string& actor, Instant now);
  Change forget(const std::string& key, const std::string& why, Instant now);
  Change quota_reset(const std::string& key, Instant now);
  Change tick(Instant now);
  [[nodiscard]] std::optional<SteadyTime> next_deadline() const;
  [[nodiscard]] const Record* find(const std::string& key) const;
  [[nodiscard]] const ProviderWatch* watch(const std::string& provider) const;

 private:
  Record* find(const std::string& key);
  void move(Record& record, const Move& move, Instant now, Changes& changes);
  void reset(Record& record, const Move& move, Instant now, Changes& changes);
  void note_deadline(Record& record);
  void note_incident(ProviderWatch& watch, IncidentChange incident, Instant now, Changes& changes);
  void take_back_verdicts(const ProviderWatch& watch, Instant now, Changes& changes);
  void doubt_siblings(const Record& record, const model::Evidence& evidence, Instant now,
                      Changes& changes);
  void ask_witness(const Record& record, const ProviderWatch& watch, Changes& changes);
  void ask_about(Record& record, const model::Evidence& evidence, const Moment& moment,
                 Changes& changes);
  void end_of_cooldown(Record& record, Instant now, Changes& changes);

  std::map<std::string, Record> records_;
  std::map<std::string, ProviderWatch> watches_;
  std::set<std::pair<SteadyTime, std::string>> deadlines_;  // of cool-downs; may be out of date
};

Record* Tracker::Impl::find(const std::string& key) {
  const auto found = records_.find(key);
  return found == records_.end() ? nullptr : &found->second;
}

const Record* Tracker::Impl::find(const std::string& key) const {
  const auto found = records_.find(key);
  return found == records_.end() ? nullptr : &found->second;
}

const ProviderWatch* Tracker::Impl::watch(const std::string& provider) const {
  const auto found = watches_.find(provider);
  return found == watches_.end() ? nullptr : &found->second;
}

Change Tracker::Impl::configure(std::vector<KeyFacts> keys, Instant now) {
  Changes changes;
  std::map<std::string, std::vector<Record*>> by_provider;
  std::map<std::string, Record> records;
  for (KeyFacts& facts : keys) {
    const std::string id = facts.id;
    auto node = records_.extract(id);
    const bool is_new = node.empty();
    if (is_new)
      records[id];
    else
      records.insert(std::move(node));
    Record& record = records[id];
    // Failures at another provider say nothing about this one.
    if (record.facts.provider != facts.provider)
      record.trouble.reset();
    record.facts = std::move(facts);
    by_provider[record.facts.provider].push_back(&record);
    if (is_new) {
      record.health.key = id;
      record.health.since = now.wall;
      record.health.why = "no evidence yet";
      changes.touch(record);
    }
  }
  records_ = std::move(records);
  for (const auto& [provider, of_provider] : by_provider)
    watches_.try_emplace(provider, provider);
  for (auto& [provider, watch] : watches_) {
    watch.set_keys(std::move(by_provider[provider]));
    if (auto ended = watch.tick(now))
      note_incident(watch, std::move(*ended), now, changes);
  }
  std::erase_if(watches_, [](const auto& entry) { return entry.second.keys().empty(); });
  return changes.take();
}

void Tracker::Impl::restore(const std::map<std::string, model::KeyHealth>& health, Instant now) {
  for (const auto& [id, belief] : health) {
    Record* record = find(id);
    if (record == nullptr)
      continue;
    record->health = belief;
    record->health.key = id;
    if (belief.paused)
      record->health.state = KeyState::paused;
    if (belief.has_verdict && model::info(belief.verdict).kind == VerdictClass::quota)
      record->exhausted_by = belief.verdict;
    if (belief.last_probe_at)
      record->probed_at =
          now.steady - std::max<std::chrono::nanoseconds>(std::chrono::nanoseconds(0),
                                                          now.wall - *belief.last_probe_at);
    const bool cools = belief.state == KeyState::throttled || belief.state == KeyState::exhausted;
    if (!cools)
      continue;
    // Whether the provider stated the end is not kept: it is respected as if it had.
    record->cooldown.stated = belief.cooldown_until.has_value();
    record->cooldown.ends = now.steady + (belief.cooldown_until.value_or(now.wall) - now.wall);
    note_deadline(*record);
  }
}

void Tracker::Impl::note_deadline(Record& record) {
  if (record.cooldown.ends)
    deadlines_.emplace(*record.cooldown.ends, record.facts.id);
}

void Tracker::Impl::move(Record& record, const Move& move, Instant now, Changes& changes) {
  model::KeyHealth& health = record.health;
  changes.add(
      model::StateChange{health.key, health.state, move.to, health.verdict, now.wall, move.why});
  health.state = move.to;
  health.since = now.wall;
  health.why = move.why;
  record.proofs = 0;
  if (move.to != KeyState::throttled && move.to != KeyState::exhausted)
    end_cooldown(record, now.steady);
  changes.touch(record);
}

// Back to the state of a key of which nothing is known.
void Tracker::Impl::reset(Record& record, const Move& to, Instant now, Changes& changes) {
  record.health.auth_strikes = 0;
  record.health.consecutive_failures = 0;
  record.health.consecutive_successes = 0;
  record.trouble.reset();
  record.wants_paid = false;
  record.doubted_at.reset();
  record.quiet_until.reset();
  record.relapses = Relapses{};
  watches_.at(record.facts.provider).forget(record);
  if (record.health.state != to.to)
    move(record, to, now, changes);
  changes.touch(record);
  changes.ask(record);
}

Change Tracker::Impl::observe(const model::Evidence& evidence, Instant now) {
  Changes changes;
  Record* record = find(evidence.key);
  if (record == nullptr)
    return {};
  const auto age =
      std::max<std::chrono::nanoseconds>(std::chrono::nanoseconds(0), now.wall - evidence.at);
  const Moment moment{
      now, now.steady - std::min<std::chrono::nanoseconds>(age, std::chrono::minutes(10))};
  if (!is_relevant(*record, evidence, moment))
    return {};
  changes.touch(*record);
  const int strikes_before = record->health.auth_strikes;
  count(*record, evidence, moment);

  ProviderWatch& watch = watches_.at(record->facts.provider);
  for (IncidentChange& incident : watch.observe(*record, evidence, moment))
    note_incident(watch, std::move(incident), now, changes);
  const bool frozen = watch.incident().has_value();
  // What counts up during an incident must not strike the moment that it ends.
  if (frozen && is_condemned(*record))
    record->health.auth_strikes = record->facts.probe.failures_to_dead - 1;

  const KeyState before = record->health.state;
  const auto verdict = judge(*record, evidence, moment, frozen);
  if (verdict)
    move(*record, *verdict, now, changes);
  note_deadline(*record);

  const auto kind = model::info(evidence.verdict).kind;
  const bool first_strike = kind == VerdictClass::auth && strikes_before == 0;
  if (verdict || first_strike)
    doubt_siblings(*record, evidence, now, changes);
  for (SharedAccount& pair : watch.kinship().observe(*record, evidence, before, now.steady))
    changes.add(std::move(pair));
  ask_about(*record, evidence, moment, changes);
  if (first_strike && !frozen)
    ask_witness(*record, watch, changes);
  return changes.take();
}

// Whether the key is bad or its provider refuses everybody: a key of which nothing was heard since
// can tell, long before this one has been condemned by three probes.
void Tracker::Impl::ask_witness(const Record& record, const ProviderWatch& watch,
                                Changes& changes) {
  if (Record* witness = watch.witness_for(record))
    changes.ask(*witness);
}

// Log lines and reports that leave a question open are answered by a probe at once, but not by one
// after each batch of lines.
void Tracker::Impl::ask_about(Record& record, const model::Evidence& evidence, const Moment& moment,
                              Changes& changes) {
  const bool from_log = evidence.source == model::EvidenceSource::usage_log ||
                        evidence.source == model::EvidenceSource::report;
  const bool just_probed =
      record.probed_at && moment.now.steady - *record.probed_at < record.facts.probe.confirm_after;
  if (!from_log || just_probed || record.cooldown.ends)
    return;
  const auto kind = model::info(evidence.verdict).kind;
  const bool dead = record.health.state == KeyState::dead;
  const bool outvoted = kind == VerdictClass::quota && is_outvoted(record, evidence, moment);
  const bool served_though_dead = dead && kind == VerdictClass::good;
  const bool refused = kind == VerdictClass::auth && !dead;
  if (!outvoted && !served_though_dead && !refused)
    return;
  record.wants_paid = record.wants_paid || outvoted;
  changes.ask(record);
}

void Tracker::Impl::note_incident(ProviderWatch& watch, IncidentChange incident, Instant now,
                                  Changes& changes) {
  const bool about_keys = incident.incident.kind == VerdictClass::auth;
  if (incident.open && about_keys)
    take_back_verdicts(watch, now, changes);
  if (!incident.open) {
    for (Record* record : watch.troubled()) {
      // Strikes of a time when everybody was refused prove nothing; whoever is really bad shows it
      // again at once.
      if (about_keys && record->health.state != KeyState::dead) {
        record->health.auth_strikes = 0;
        changes.touch(*record);
      }
      if (record->health.state != KeyState::dead && !record->cooldown.ends)
        changes.ask(*record);
    }
  } else {
    // Whoever has not been heard since the trouble began may be the one that is still served.
    for (Record* record : watch.keys()) {
      const bool quiet = !record->trouble && !record->cooldown.ends;
      if (quiet && about_keys && record->health.state == KeyState::healthy) {
        changes.ask(*record);
        break;
      }
    }
  }
  changes.add(std::move(incident));
}

// A key that died moments ago of what now turns out to befall its neighbours as well.
void Tracker::Impl::take_back_verdicts(const ProviderWatch& watch, Instant now, Changes& changes) {
  for (Record* record : watch.troubled()) {
    const bool fresh = record->health.state == KeyState::dead && record->died_at &&
                       now.steady - *record->died_at <= record->facts.probe.confirm_after;
    if (!fresh || record->trouble->kind != VerdictClass::auth)
      continue;
    record->health.auth_strikes = std::max(0, record->facts.probe.failures_to_dead - 1);
    move(*record, Move{KeyState::unknown, "taken back: other keys of the provider are refused too"},
         now, changes);
  }
}

void Tracker::Impl::doubt_siblings(const Record& record, const model::Evidence& evidence,
                                   Instant now, Changes& changes) {
  const auto& info = model::info(evidence.verdict);
  const bool shared = model::scope_of(evidence) == model::VerdictScope::limit_group &&
                      (info.kind == VerdictClass::auth || info.kind == VerdictClass::quota);
  if (!shared)
    return;
  for (Record* other : watches_.at(record.facts.provider).keys()) {
    const KeyState state = other->health.state;
    const bool settled =
        state == KeyState::paused || state == KeyState::dead || state == KeyState::exhausted;
    const bool doubted = other->doubted_at && now.steady - *other->doubted_at <= window_of(*other);
    if (other == &record || other->facts.limit_group != record.facts.limit_group || settled ||
        doubted || other->cooldown.ends)
      continue;
    other->doubted_at = now.steady;
    other->wants_paid = info.kind == VerdictClass::quota;
    changes.ask(*other);
  }
}

Change Tracker::Impl::pause(const std::string& key, const std::string& actor, Instant now) {
  Changes changes;
  Record* record = find(key);
  if (record == nullptr || record->health.paused)
    return {};
  record->health.paused = true;
  record->urgent = false;
  move(*record, Move{KeyState::paused, fmt::format("paused by {}", actor)}, now, changes);
  return changes.take();
}

Change Tracker::Impl::resume(const std::string& key, const std::string& actor, Instant now) {
  Changes changes;
  Record* record = find(key);
  if (record == nullptr || !record->health.paused)
    return {};
  record->health.paused = false;
  reset(*record, Move{KeyState::unknown, fmt::format("resumed by {}; not yet proven", actor)}, now,
        changes);
  return changes.take();
}

Change Tracker::Impl::forget(const std::string& key, const std::string& why, Instant now) {
  Changes changes;
  Record* record = find(key);
  if (record == nullptr)
    return {};
  const KeyState to = record->health.paused ? KeyState::paused : KeyState::unknown;
  reset(*record, Move{to, why}, now, changes);
  return changes.take();
}

Change Tracker::Impl::quota_reset(const std::string& key, Instant now) {
  Changes changes;
  Record* record = find(key);
  if (record == nullptr || record->health.state != KeyState::exhausted)
    return {};
  move(*record, Move{KeyState::unknown, "its quota has begun anew; not yet proven"}, now, changes);
  record->wants_paid = true;
  changes.ask(*record);
  return changes.take();
}

void Tracker::Impl::end_of_cooldown(Record& record, Instant now, Changes& changes) {
  const auto next = after_cooldown(record);
  record.wants_paid = record.wants_paid || record.health.state == KeyState::exhausted;
  end_cooldown(record, now.steady);
  if (next)
    move(record, *next, now, changes);
  changes.touch(record);
  changes.ask(record);
}

Change Tracker::Impl::tick(Instant now) {
  Changes changes;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now.steady) {
    const auto [due, key] = *deadlines_.begin();
    deadlines_.erase(deadlines_.begin());
    Record* record = find(key);
    // Prolonged, ended and removed ones are not taken out of the set when that happens.
    if (record != nullptr && record->cooldown.ends && *record->cooldown.ends <= now.steady)
      end_of_cooldown(*record, now, changes);
  }
  for (auto& [provider, watch] : watches_) {
    if (auto ended = watch.tick(now))
      note_incident(watch, std::move(*ended), now, changes);
  }
  return changes.take();
}

std::optional<SteadyTime> Tracker::Impl::next_deadline() const {
  std::optional<SteadyTime> next;
  if (!deadlines_.empty())
    next = deadlines_.begin()->first;
  for (const auto& [provider, watch] : watches_) {
    if (const auto due = watch.deadline())
      next = std::min(next.value_or(*due), *due);
  }
  return next;
}

Tracker::Tracker() : impl_(std::make_unique<Impl>()) {}
Tracker::~Tracker() = default;
Tracker::Tracker(Tracker&&) noexcept = default;
Tracker& Tracker::operator=(Tracker&&) noexcept = default;

Change Tracker::configure(std::vector<KeyFacts> keys, Instant now) {
  return impl_->configure(std::move(keys), now);
}
void Tracker::restore(const std::map<std::string, model::KeyHealth>& health, Instant now) {
  impl_->restore(health, now);
}
Change Tracker::observe(const model::Evidence& evidence, Instant now) {
  return impl_->observe(evidence, now);
}
Change Tracker::pause(const std::string& key, const std::string& actor, Instant now) {
  return impl_->pause(key, actor, now);
}
Change Tracker::resume(const std::string& key, const std::string& actor, Instant now) {
  return impl_->resume(key, actor, now);
}
Change Tracker::forget(const std::string& key, const std::string& why, Instant now) {
  return impl_->forget(key, why, now);
}
Change Tracker::quota_reset(const std::string& key, Instant now) {
  return impl_->quota_reset(key, now);
}
Change Tracker::tick(Instant now) {
  return impl_->tick(now);
}
std::optional<SteadyTime> Tracker::next_deadline() const {
  return impl_->next_deadline();
}

const model::KeyHealth* Tracker::health(const std::string& key) const {
  const Record* record = std::as_const(*impl_).find(key);
  return record == nullptr ? nullptr : &record->health;
}

std::optional<Incident> Tracker::incident(const std::string& provider) const {
  const ProviderWatch* watch = impl_->watch(provider);
  return watch == nullptr ? std::nullopt : watch->incident();
}

std::optional<ProbePlan> Tracker::next_probe(const std::string& key, Instant now) const {
  const Record* record = std::as_const(*impl_).find(key);
  if (record == nullptr || record->health.paused)
    return std::nullopt;
  const ProviderWatch* watch = impl_->watch(record->facts.provider);
  return plan_probe(*record, now, watch != nullptr && watch->incident().has_value());
}

}  // namespace keyherd::health
