#include "engine/herd.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <utility>

namespace keyherd::engine {

namespace {

std::string fingerprint_setting(const std::string& key) {
  return "fingerprint." + key;
}

model::HistogramView probe_histogram() {
  return model::make_histogram({.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60});
}

constexpr std::chrono::seconds kSumFor{10};

// Whether a piece of evidence is worth keeping: every probe, every bad sign, and the good line that
// follows bad ones; not each of a busy key's good lines.
bool is_news(const KeyRecord& record, const model::Evidence& evidence) {
  return evidence.source != model::EvidenceSource::usage_log ||
         evidence.verdict != model::Verdict::ok || record.last_verdict != model::Verdict::ok;
}

}  // namespace

health::KeyFacts facts_of(const model::Key& key, const Setup& setup) {
  return {key.id, key.provider, key.limit_group.empty() ? key.id : key.limit_group,
          setup.providers.at(key.provider)->probe};
}

void Herd::configure(const Setup& setup, Instant now) {
  std::map<std::string, KeyRecord> kept = std::exchange(records_, {});
  installation_key_ = setup.installation_key;
  std::vector<health::KeyFacts> facts;
  std::vector<std::string> replaced;
  for (const model::Key& key : setup.config.keys) {
    KeyRecord& record = records_[key.id];
    const auto adopted = adopted_.find(key.id);
    const bool overrides =
        adopted != adopted_.end() && key.secret.kind == model::SecretRef::Kind::keyring;
    const KeySecret& secret = overrides ? adopted->second : setup.secrets.at(key.id);
    if (const auto old = kept.find(key.id); old != kept.end()) {
      record = std::move(old->second);
      if (record.secret.fingerprint != secret.fingerprint)
        replaced.push_back(key.id);
    }
    record.key = key;
    record.secret = secret;
    if (!secret.secret)
      log_.error("keys.{}: {}", key.id, secret.problem);
    pipeline_.next().settings[fingerprint_setting(key.id)] = secret.fingerprint;
    facts.push_back(facts_of(key, setup));
    touched_.keys.insert(key.id);
  }
  forget_shared_accounts();
  std::map<std::string, ProviderRecord> known = std::exchange(providers_, {});
  for (const auto& [id, provider] : setup.providers) {
    ProviderRecord& record = providers_[id];
    if (const auto old = known.find(id); old != known.end())
      record = std::move(old->second);
    else
      record.durations.fill(probe_histogram());
    record.provider = provider;
    touched_.providers.insert(id);
  }
  apply(tracker_.configure(std::move(facts), now));
  for (const std::string& key : replaced) {
    records_.at(key).verified = false;
    records_.at(key).forget_balances();
    apply(tracker_.forget(key, "its secret was replaced", now));
  }
}

void Herd::adopt(const std::string& key, std::shared_ptr<const Secret> secret,
                 const std::string& why, Instant now) {
  KeyRecord* record = find(key);
  if (record == nullptr)
    return;
  KeySecret next;
  next.fingerprint = secret ? fingerprint(*secret, installation_key_) : "";
  next.problem = secret ? "" : why;
  next.secret = std::move(secret);
  record->secret = next;
  record->secret_expires_at.reset();
  adopted_[key] = std::move(next);
  pipeline_.next().settings[fingerprint_setting(key)] = record->secret.fingerprint;
  record->verified = false;
  record->forget_balances();
  touched_.keys.insert(key);
  apply(tracker_.forget(key, why, now));
}

void Herd::restore(const store::State& state, Instant now) {
  tracker_.restore(state.health, now);
  // What a healthy key was before is not at hand: it may be ramping up.
  for (const auto& [key, health] : state.health) {
    if (KeyRecord* record = find(key))
      record->recovered = health.state == model::KeyState::healthy;
  }
  for (auto evidence = state.evidence.rbegin(); evidence != state.evidence.rend(); ++evidence) {
    KeyRecord* record = find(evidence->key);
    if (record == nullptr)
      continue;
    record->record(*evidence);
    record->probe_history.record(*providers_.at(record->key.provider).provider, *evidence);
  }
  for (const model::BalanceRecord& balance : state.balances) {
    if (KeyRecord* record = find(balance.key))
      record->wallet[balance.currency] = balance;
  }
  for (auto& [id, record] : records_) {
    if (const auto totals = state.probe_totals.find(id); totals != state.probe_totals.end())
      record.probes = totals->second;
    else
      record.probes = {};
    // Evidence of it may be too far back among the free probes to be loaded.
    if (const std::int64_t paid_at = record.probes.paid_at; paid_at > 0) {
      auto& spent_at = record.probe_history.spent_at;
      spent_at = std::max(spent_at.value_or(WallTime{}), from_unix_nanos(paid_at));
    }
    if (const auto totals = state.usage_totals.find(id); totals != state.usage_totals.end())
      record.usage_by_model = totals->second;
    if (const auto failures = state.usage_failures.find(id); failures != state.usage_failures.end())
      record.usage_failures = failures->second;
    if (const auto suspects = state.suspects.find(id); suspects != state.suspects.end())
      record.suspects = suspects->second;
    if (const auto used = state.last_used.find(id); used != state.last_used.end())
      record.last_used_at = used->second;
    record.probe_cost_at_look = record.probes.cost;
    check_secret(record, state, now);
  }
}

// Beliefs of an earlier run are of the secret of that run.
void Herd::check_secret(KeyRecord& record, const store::State& state, Instant now) {
  const auto known = state.settings.find(fingerprint_setting(record.key.id));
  if (known == state.settings.end() || known->second == record.secret.fingerprint)
    return;
  record.verified = false;
  record.last_ok_at.reset();
  record.forget_balances();
  apply(tracker_.forget(record.key.id, "its secret was replaced", now));
}

void Herd::observe(const model::Evidence& evidence, Instant now) {
  KeyRecord* record = find(evidence.key);
  if (record == nullptr)
    return;
  keep_evidence(*record, evidence, now);
  record->record(evidence);
  const auto provider = providers_.find(record->key.provider);
  if (provider != providers_.end())
    record->probe_history.record(*provider->second.provider, evidence);
  if (evidence.probe) {
    observe_duration(evidence, record->key.provider);
    pipeline_.next().probe_totals[evidence.key] = record->probes;
    observe_balances(*record, evidence);
  }
  touched_.keys.insert(evidence.key);
  const health::Change change = tracker_.observe(evidence, now);
  if (!change.changes.empty())
    store_evidence(evidence.key);  // what led to it, before it
  apply(change);
  witness_(evidence, now);
}

// Of what a log goes on saying, a piece of evidence every ten seconds with the sum of its lines.
void Herd::keep_evidence(KeyRecord& record, const model::Evidence& evidence, Instant now) {
  if (!is_news(record, evidence))
    return;
  if (evidence.source != model::EvidenceSource::usage_log) {
    pipeline_.next().evidence.push_back(evidence);
    return;
  }
  if (record.summing && record.summing->verdict != evidence.verdict)
    store_evidence(record.key.id);
  const bool goes_on = record.last_verdict == evidence.verdict && record.summed_at &&
                       now.steady - *record.summed_at < kSumFor;
  if (record.summing) {
    record.summing->count = model::saturating_add(record.summing->count, evidence.count);
    record.summing->at = std::max(record.summing->at, evidence.at);
  } else {
    record.summing = std::make_unique<model::Evidence>(evidence);
  }
  if (goes_on)
    return;
  record.summed_at = now.steady;
  store_evidence(record.key.id);
}

void Herd::store_evidence(const std::string& key) {
  KeyRecord* record = find(key);
  if (record != nullptr && record->summing)
    pipeline_.next().evidence.push_back(std::move(*std::exchange(record->summing, nullptr)));
}

void Herd::observe_balances(KeyRecord& record, const model::Evidence& evidence) {
  if (evidence.balances.empty())
    return;
  store::Batch& batch = pipeline_.next();
  for (model::BalanceDrop& drop : record.compare_balances(evidence)) {
    batch.balance_drops.push_back(drop);
    touched_.drops.push_back(std::move(drop));
  }
  for (const model::Balance& balance : evidence.balances)
    batch.balances.push_back(record.wallet.at(balance.currency));
}

void Herd::observe_duration(const model::Evidence& evidence, const std::string& provider) {
  model::HistogramView& histogram =
      providers_.at(provider).durations[static_cast<std::size_t>(*evidence.probe)];
  model::observe(histogram, std::chrono::duration<double>(evidence.latency).count());
  touched_.providers.insert(provider);
}

void Herd::pause(const std::string& key, const std::string& actor, Instant now) {
  apply(tracker_.pause(key, actor, now));
}

void Herd::resume(const std::string& key, const std::string& actor, Instant now) {
  apply(tracker_.resume(key, actor, now));
}

void Herd::quota_reset(const std::string& key, Instant now) {
  apply(tracker_.quota_reset(key, now));
}

void Herd::control_answered(const std::string& provider, model::ProbeKind kind, bool accepts) {
  touched_.providers.insert(provider);
  if (accepts)
    log_.warn("provider {}: its endpoint accepts any key at the probe {}, which proves nothing",
              provider, model::to_string(kind));
}

void Herd::tick(Instant now) {
  apply(tracker_.tick(now));
}

void Herd::note_shared_account(const health::SharedAccount& pair) {
  KeyRecord* a = find(pair.a);
  KeyRecord* b = find(pair.b);
  if (a == nullptr || b == nullptr)
    return;
  a->shares_account_with[pair.b] = pair.why;
  b->shares_account_with[pair.a] = pair.why;
  touched_.keys.insert({pair.a, pair.b});
  log_.warn("keys {} and {} have different limit groups, but {}; give them one limit_group", pair.a,
            pair.b, pair.why);
}

// Of keys that are gone, or that are now declared to share one.
void Herd::forget_shared_accounts() {
  for (auto& [id, record] : records_) {
    std::erase_if(record.shares_account_with, [&, &key = record.key](const auto& entry) {
      const KeyRecord* other = find(entry.first);
      return other == nullptr ||
             (!key.limit_group.empty() && other->key.limit_group == key.limit_group);
    });
  }
}

KeyRecord* Herd::find(const std::string& key) {
  const auto found = records_.find(key);
  return found == records_.end() ? nullptr : &found->second;
}

const KeyRecord* Herd::find(const std::string& key) const {
  const auto found = records_.find(key);
  return found == records_.end() ? nullptr : &found->second;
}

void Herd::apply(const health::Change& change) {
  store::Batch& batch = pipeline_.next();
  for (const model::KeyHealth& health : change.health) {
    batch.health.push_back(health);
    touched_.keys.insert(health.key);
  }
  for (const model::StateChange& step : change.changes) {
    batch.changes.push_back(step);
    if (KeyRecord* record = find(step.key))
      record->recovered = step.to == model::KeyState::healthy &&
                          step.from != model::KeyState::unknown &&
                          step.from != model::KeyState::paused;
    log_.log(model::is_usable(step.to) ? spdlog::level::info : spdlog::level::warn,
             "key {}: {} -> {}: {}", step.key, model::to_string(step.from),
             model::to_string(step.to), step.why);
  }
  for (const health::IncidentChange& incident : change.incidents) {
    const auto provider = providers_.find(incident.incident.provider);
    if (provider == providers_.end())
      continue;
    provider->second.incident = incident.open ? std::optional(incident.incident) : std::nullopt;
    touched_.providers.insert(provider->first);
    for (const auto& [id, record] : records_) {
      if (record.key.provider == provider->first)
        touched_.keys.insert(id);
    }
    log_.warn("provider {}: {}", provider->first, incident.why);
  }
  for (const health::SharedAccount& pair : change.shared_accounts)
    note_shared_account(pair);
  touched_.probe_soon.insert(change.probe_soon.begin(), change.probe_soon.end());
}

}  // namespace keyherd::engine
