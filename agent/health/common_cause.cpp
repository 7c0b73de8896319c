#include "health/common_cause.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "health/beliefs.hpp"

namespace keyherd::health {

namespace {

using model::VerdictClass;

// So many keys in a row failing alike, with no success in between, are proof by themselves: waiting
// for half of a large herd would take minutes.
constexpr int kEnoughVoices = 5;

// Failures that keys of one provider can have in common. Money and permissions are a key's own.
bool can_be_common(VerdictClass kind) {
  return kind == VerdictClass::auth || kind == VerdictClass::rate || kind == VerdictClass::provider;
}

std::string_view what_happens(VerdictClass kind) {
  switch (kind) {
    case VerdictClass::auth:
      return "refused";
    case VerdictClass::rate:
      return "rate limited";
    case VerdictClass::provider:
      return "left without a proper answer";
    case VerdictClass::good:
    case VerdictClass::quota:
    case VerdictClass::request:
      return "";
  }
  return "";
}

}  // namespace

void ProviderWatch::set_keys(std::vector<Record*> keys) {
  keys_ = std::move(keys);
  troubled_.clear();
  std::set<std::string_view> ids;
  for (const Record* record : keys_)
    ids.insert(record->facts.id);
  kinship_.retain([&](const std::string& id) { return ids.contains(id); });
  for (Record* record : keys_) {
    if (record->trouble)
      troubled_.emplace(record->facts.id, record);
  }
}

std::vector<Record*> ProviderWatch::troubled() const {
  std::vector<Record*> records;
  for (const auto& [id, record] : troubled_)
    records.push_back(record);
  return records;
}

Record* ProviderWatch::witness_for(const Record& record) const {
  if (!record.trouble || (last_success_ && *last_success_ >= record.trouble->since))
    return nullptr;
  Record* witness = nullptr;
  for (Record* other : keys_) {
    const bool fit = other->health.state == model::KeyState::healthy && !other->trouble &&
                     !other->cooldown.ends && !other->quiet_until;
    const bool silent = !other->observed_at || *other->observed_at < record.trouble->since;
    if (other == &record || !fit || !silent)
      continue;
    if (other->urgent)  // it is being asked already
      return nullptr;
    if (other->facts.limit_group != record.facts.limit_group)
      witness = other;
    else if (witness == nullptr)
      witness = other;
  }
  return witness;
}

ProviderWatch::Voices ProviderWatch::voices_like(const Record& record, Instant now) const {
  const Trouble& trouble = *record.trouble;
  const auto window = window_of(record);
  std::set<std::string> distinct;
  Voices voices;
  for (const auto& [id, other] : troubled_) {
    const Trouble& theirs = *other->trouble;
    const bool alike = theirs.kind == trouble.kind && !other->health.paused;
    const bool recent =
        theirs.last >= now.steady - window && theirs.since >= trouble.since - window;
    const bool unanswered = !last_success_ || theirs.since > *last_success_;
    if (!alike || !recent || !unanswered)
      continue;
    ++voices.keys;
    const bool shared = theirs.scope == model::VerdictScope::limit_group;
    distinct.insert(shared ? "group " + other->facts.limit_group : "key " + id);
  }
  voices.distinct = static_cast<int>(distinct.size());
  return voices;
}

int ProviderWatch::recently_observed(const Record& record, Instant now, int enough) const {
  int count = 0;
  for (const Record* other : keys_) {
    const bool recent = other->observed_at && *other->observed_at >= now.steady - window_of(record);
    count += recent && !other->health.paused ? 1 : 0;
    if (count > enough)
      break;
  }
  return count;
}

std::optional<std::string> ProviderWatch::suspicion(const Record& record, Instant now) const {
  const Trouble& trouble = *record.trouble;
  // Others were served since this key's failures began: they are its own.
  if (last_success_ && trouble.since <= *last_success_)
    return std::nullopt;
  const Voices voices = voices_like(record, now);
  const int observed = recently_observed(record, now, 2 * voices.keys);
  if (trouble.kind == VerdictClass::provider && observed == 1 &&
      trouble.count >= record.facts.probe.failures_to_dead)
    return fmt::format("its only observed key was {} {} times in a row", what_happens(trouble.kind),
                       trouble.count);
  const bool half = 2 * voices.keys >= observed;
  // The second key must not be condemned for what the first one suffers too.
  const bool last_moment = trouble.kind == VerdictClass::auth && is_condemned(record);
  if (voices.distinct < 2 || (!half && !last_moment && voices.distinct < kEnoughVoices))
    return std::nullopt;
  return fmt::format("{} keys were {} alike, with no success in between", voices.keys,
                     what_happens(trouble.kind));
}

std::optional<std::string> ProviderWatch::relief(const Record& record,
                                                 const model::Evidence& evidence,
                                                 const Moment& moment) const {
  if (moment.happened < incident_since_)
    return std::nullopt;
  const VerdictClass kind = model::info(evidence.verdict).kind;
  if (kind == VerdictClass::good)
    return fmt::format("key {} was served again", record.facts.id);
  const bool answers = incident_->kind == VerdictClass::provider && kind != VerdictClass::provider;
  const bool recognises = incident_->kind == VerdictClass::auth && kind == VerdictClass::quota;
  if (answers || recognises)
    return fmt::format("it answers again: key {} got {}", record.facts.id,
                       model::to_string(evidence.verdict));
  return std::nullopt;
}

IncidentChange ProviderWatch::close(std::string why, Instant now) {
  IncidentChange change{std::move(*incident_), false, now.wall, std::move(why)};
  incident_.reset();
  return change;
}

std::vector<IncidentChange> ProviderWatch::observe(Record& record, const model::Evidence& evidence,
                                                   const Moment& moment) {
  std::vector<IncidentChange> changes;
  const VerdictClass kind = model::info(evidence.verdict).kind;
  if (record.trouble)
    troubled_[record.facts.id] = &record;
  else
    troubled_.erase(record.facts.id);
  if (kind == VerdictClass::good)
    last_success_ = std::max(last_success_.value_or(moment.happened), moment.happened);
  if (incident_) {
    if (auto why = relief(record, evidence, moment))
      changes.push_back(close(std::move(*why), moment.now));
    else if (kind == incident_->kind)
      incident_heard_ = moment.now.steady;
  }
  if (incident_ || !can_be_common(kind) || record.health.paused)
    return changes;
  if (auto why = suspicion(record, moment.now)) {
    incident_ = Incident{provider_, kind, moment.now.wall, std::move(*why)};
    incident_since_ = moment.now.steady;
    incident_heard_ = moment.now.steady;
    incident_window_ = window_of(record);
    changes.push_back(IncidentChange{*incident_, true, moment.now.wall, incident_->why});
  }
  return changes;
}

std::optional<IncidentChange> ProviderWatch::tick(Instant now) {
  if (!incident_)
    return std::nullopt;
  if (keys_.empty())
    return close("the provider has no keys any more", now);
  if (now.steady < *deadline())
    return std::nullopt;
  return close("nothing was heard of it for a while", now);
}

std::optional<SteadyTime> ProviderWatch::deadline() const {
  if (!incident_)
    return std::nullopt;
  return incident_heard_ + incident_window_;
}

}  // namespace keyherd::health
