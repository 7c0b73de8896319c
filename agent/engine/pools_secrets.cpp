// The secrets that issuers make and end for the pools: who gets the next one, what is sealed when,
// whether consumers follow, and the long way to the end of the last one.

#include <spdlog/logger.h>

#include <algorithm>
#include <utility>

#include "base/time_text.hpp"
#include "engine/pools.hpp"

namespace keyherd::engine {

namespace {

using model::Credential;
using model::CredentialState;

// After so many attempts (a minute) a revocation that fails is counted.
constexpr int kAttemptsBeforeAlarm = 7;

// Where a minted secret lies until it is proven. No id has a '+'.
std::string pending_entry(const std::string& entry) {
  return entry + "+next";
}

bool is_ending(const Credential& credential) {
  return credential.state != CredentialState::intended && credential.state != CredentialState::live;
}

}  // namespace

void Pools::watch_adoption(Record& record, Instant now) {
  const bool read = std::exchange(record.read, false);
  if (!record.adopt_by || (!read && *record.adopt_by > now.wall))
    return;
  const auto row = std::find_if(record.history.begin(), record.history.end(),
                                [&](const auto& one) { return one.id == record.adopting; });
  if (row == record.history.end()) {
    record.adopt_by.reset();
    return;
  }
  const model::Rotation present = *row;
  if (auto transition = rotation::watch(context_of(record, &present, now), present))
    proceed(record, std::move(*transition), now);
}

std::shared_ptr<const Secret> Pools::secret_of(const std::string& key) const {
  const KeyRecord* record = parts_.key(key);
  return record == nullptr ? nullptr : record->secret.secret;
}

// The keyring entry that the key refers to; "" when it refers to something else.
std::string Pools::entry_of(const std::string& key) const {
  const KeyRecord* record = parts_.key(key);
  const bool sealed =
      record != nullptr && record->key.secret.kind == model::SecretRef::Kind::keyring;
  return sealed && parts_.keyring != nullptr ? record->key.secret.name : "";
}

void Pools::restore_secrets(const store::State& state, Instant now) {
  credentials_ = state.credentials;
  for (const auto& [id, record] : records_) {
    for (const model::Rotation& row : record.history) {
      if (row.state != model::RotationState::minted || entry_of(row.to).empty())
        continue;
      if (auto secret = parts_.keyring->get(pending_entry(entry_of(row.to))))
        held_[row.id] = std::make_shared<const Secret>(std::move(*secret));
      else
        parts_.log.error("rotation {}: {}", row.id, secret.error().message);
    }
  }
  for (const auto& [name, credential] : state.credentials) {
    // Until another secret is adopted: an ending one may still be its key's.
    if (!credential.key.empty() && credential.state != CredentialState::intended)
      parts_.expires(credential.key, credential.expires_at);
    if (!is_ending(credential))
      continue;
    if (credential.state == CredentialState::leaving) {
      look_at_[name] = now.wall;
      continue;
    }
    take_out_of_service(credential, now);
    if (auto step = rotation::resume_ending(credential, facts_of(credential, now)))
      run_step(std::move(*step), now);
  }
}

std::vector<rotation::Candidate> Pools::members_of(const Record& record, Instant now) const {
  auto members = parts_.candidates(record.pool, now);
  mark_slots(record, members, now);
  return members;
}

void Pools::mark_slots(const Record& record, std::vector<rotation::Candidate>& members,
                       Instant now) const {
  if (!model::makes_secrets(record.pool.mode))
    return;
  for (rotation::Candidate& member : members) {
    const KeyRecord* key = parts_.key(member.key);
    if (key == nullptr || entry_of(member.key).empty())
      continue;
    member.slot_note = slot_trouble(record, *key, now);
    member.slot = member.slot_note.empty() ? rotation::Candidate::Slot::free
                                           : rotation::Candidate::Slot::busy;
  }
}

// Why the key cannot get a new secret now, as the end of a sentence about it; "" when it can.
std::string Pools::slot_trouble(const Record& record, const KeyRecord& key, Instant now) const {
  if (is_in_use(key.key.id))
    return "is in use";
  for (const auto& [name, credential] : credentials_) {
    if (credential.key == key.key.id && is_ending(credential))
      return "is still being retired" +
             (credential.note.empty() ? std::string() : " (" + credential.note + ")");
  }
  if (record.pool.mode == model::RotationMode::slot && key.last_used_at &&
      now.wall < *key.last_used_at + record.pool.quiet_for)
    return "is still used: " + format_rfc3339(*key.last_used_at);
  return "";
}

bool Pools::is_in_use(const std::string& key) const {
  return std::any_of(records_.begin(), records_.end(), [&](const auto& entry) {
    const Record& record = entry.second;
    return record.state.active == key ||
           std::any_of(record.history.begin(), record.history.end(), [&](const auto& row) {
             return rotation::is_in_progress(row) && (row.to == key || row.from == key);
           });
  });
}

// What must end once the row's `from` is left.
void Pools::add_ending(rotation::WorkflowContext& context, const model::Rotation& row) const {
  if (row.mode == model::RotationMode::switch_ || row.from.empty())
    return;
  for (const auto& [name, credential] : credentials_) {
    if (credential.key == row.from && credential.state == CredentialState::live) {
      context.ending = credential;
      return;
    }
  }
  const KeyRecord* from = parts_.key(row.from);
  const bool guided = row.mode == model::RotationMode::guided;
  if (from == nullptr || !(guided || (from->key.managed && !from->key.provider_key_id.empty()))) {
    context.kept_because = row.from +
                           " stays valid: the agent did not make it, and it is not `managed` with "
                           "a `provider_key_id`";
    return;
  }
  Credential ending;
  ending.name = "keyherd-end-" + row.id;
  ending.key = row.from;
  ending.pool = row.pool;
  ending.issuer = guided ? "" : context.pool.issuer;
  ending.remote_id = from->key.provider_key_id;
  context.ending = std::move(ending);
}

// The key is about to get another secret: what it had is nobody's then, and ends by itself.
void Pools::clear_slot(const Record& record, const std::string& key, Instant now) {
  for (auto one = credentials_.begin(); one != credentials_.end();) {
    auto& [name, credential] = *one;
    if (credential.key != key || is_ending(credential)) {
      ++one;
      continue;
    }
    if (record.pool.mode == model::RotationMode::slot) {
      parts_.pipeline.next().dropped_credentials.push_back(name);
      one = credentials_.erase(one);
      continue;
    }
    credential.key.clear();
    credential.state = CredentialState::leaving;
    credential.since = now.wall;
    credential.not_before = now.wall + record.pool.overlap;
    look_at_[name] = credential.not_before;
    parts_.pipeline.next().credentials.push_back(credential);
    ++one;
  }
}

// What a transition says of secrets, into the same transaction.
void Pools::keep_secrets(Record& record, const rotation::Transition& transition, Instant now) {
  store::Batch& batch = parts_.pipeline.next();
  for (const Credential& credential : transition.credentials) {
    credentials_[credential.name] = credential;
    batch.credentials.push_back(credential);
    if (credential.state == CredentialState::leaving)
      look_at_[credential.name] = credential.not_before;
  }
  const std::string& id = transition.rotation.id;
  const std::string& key = transition.rotation.to;
  const std::string entry = entry_of(key);
  if (transition.held == rotation::HeldSecret::untouched || entry.empty())
    return;
  const auto secret = held_[id];
  if (transition.held == rotation::HeldSecret::hold) {
    batch.sealed.push_back(parts_.keyring->put(pending_entry(entry), *secret, now.wall));
    return;
  }
  parts_.keyring->drop(pending_entry(entry));
  batch.dropped_sealed.push_back(pending_entry(entry));
  held_.erase(id);
  if (transition.held == rotation::HeldSecret::discard || !secret)
    return;
  batch.sealed.push_back(parts_.keyring->put(entry, *secret, now.wall));
  parts_.adopt(key, secret, "rotation " + id + " gave it a new secret", now);
  if (const auto credential = credentials_.find(transition.rotation.credential);
      credential != credentials_.end())
    parts_.expires(key, credential->second.expires_at);
  record.dirty = true;
}

void Pools::run_issuer_step(rotation::StepRequest step, Instant now) {
  StepOrder order;
  if (const auto issuer = setup_->issuers.find(step.issuer); issuer != setup_->issuers.end())
    order.issuer = issuer->second;
  if (const KeyRecord* key = parts_.key(step.key))
    order.slot = key->key.provider_key_id;
  order.secret = step.kind == rotation::StepRequest::Kind::revoke ? ending_[step.credential]
                                                                  : secret_of(step.key);
  order.request = std::move(step);
  parts_.log.info("issuer {}: {} {} (attempt {})", order.request.issuer,
                  order.request.kind == rotation::StepRequest::Kind::mint ? "make" : "end",
                  order.request.credential, order.request.attempt);
  parts_.effects.run_step(std::move(order));
  static_cast<void>(now);
}

rotation::EndingFacts Pools::facts_of(const Credential& credential, Instant now) const {
  rotation::EndingFacts facts;
  facts.now = now.wall;
  const auto found = records_.find(credential.pool);
  facts.can_probe = ending_.contains(credential.name) && ending_.at(credential.name) != nullptr;
  if (found == records_.end())
    return facts;
  const Record& record = found->second;
  facts.mode = record.pool.mode;
  facts.quiet_for = record.pool.quiet_for;
  facts.in_use = !credential.key.empty() && is_in_use(credential.key);
  if (const KeyRecord* key = parts_.key(credential.key))
    facts.last_used_at = key->last_used_at;
  const auto members = parts_.candidates(record.pool, now);
  bool active_works = false;
  for (const rotation::Candidate& member : members) {
    if (member.key == record.state.active && member.key != credential.key)
      active_works = member.secret_loaded && model::is_usable(member.state);
    if (member.key == credential.key)
      facts.refused = member.state == model::KeyState::dead;
  }
  const auto others = std::count_if(members.begin(), members.end(), [&](const auto& member) {
    return member.key != credential.key && member.secret_loaded && model::is_usable(member.state);
  });
  facts.replaced = active_works && (others >= record.pool.min_available || facts.refused);
  return facts;
}

void Pools::end_secrets(Instant now) {
  std::vector<std::string> due;
  for (const auto& [name, at] : look_at_) {
    if (at <= now.wall)
      due.push_back(name);
  }
  for (const std::string& name : due) {
    look_at_.erase(name);
    const auto found = credentials_.find(name);
    if (found == credentials_.end() || found->second.state != CredentialState::leaving)
      continue;
    const Credential before = found->second;
    rotation::Ending ending = rotation::consider_ending(before, facts_of(before, now));
    if (ending.ask_again) {
      look_at_[name] = std::max(*ending.ask_again, now.wall + std::chrono::milliseconds(1));
      if (ending.credential.note != before.note && !ending.credential.note.empty()) {
        parts_.log.warn("credential {} is not ended yet: {}", name, ending.credential.note);
        note_credential(ending.credential, "is not ended yet", now);
      }
      credentials_[name] = std::move(ending.credential);
      changed_.insert(before.pool);
      continue;
    }
    apply(std::move(ending), nullptr, now);
  }
}

// Its key is not probed and not chosen any more. The secret stays at hand: it must be refused.
void Pools::take_out_of_service(const Credential& credential, Instant now) {
  if (credential.key.empty())
    return;
  ending_[credential.name] = secret_of(credential.key);
  if (entry_of(credential.key).empty())
    parts_.pause(credential.key, "rotation " + credential.rotation, now);
  else
    parts_.adopt(credential.key, nullptr, "its secret is being retired", now);
}

void Pools::apply(rotation::Ending ending, std::shared_ptr<const Secret> next_secret, Instant now) {
  const Credential& credential = ending.credential;
  store::Batch& batch = parts_.pipeline.next();
  if (ending.over) {
    credentials_.erase(credential.name);
    batch.dropped_credentials.push_back(credential.name);
  } else {
    credentials_[credential.name] = credential;
    batch.credentials.push_back(credential);
  }
  if (ending.begins) {
    take_out_of_service(credential, now);
    note_credential(credential, "is being ended", now);
    parts_.log.info("credential {} of key {} is ended{}", credential.name,
                    credential.key.empty() ? "(none)" : credential.key,
                    credential.note.empty() ? "" : ": " + credential.note);
  }
  if (ending.called_off)
    close_row(credential, true, credential.key + " is active again, so it is not retired", now);
  else if (ending.over)
    secret_ended(credential, std::move(next_secret), now);
  if (ending.called_off || ending.over)
    note_credential(credential, ending.called_off ? "is kept: its key is active again" : "is ended",
                    now);
  if (ending.next)
    parts_.pipeline.then([this, step = *ending.next](Instant then) {
      if (step.delay > std::chrono::nanoseconds(0))
        delayed_.emplace(then.steady + step.delay, step);
      else
        run_step(step, then);
    });
  changed_.insert(credential.pool);
}

void Pools::secret_ended(const Credential& credential, std::shared_ptr<const Secret> next_secret,
                         Instant now) {
  const std::string entry = entry_of(credential.key);
  store::Batch& batch = parts_.pipeline.next();
  ending_.erase(credential.name);
  if (!entry.empty() && next_secret) {
    batch.sealed.push_back(parts_.keyring->put(entry, *next_secret, now.wall));
    parts_.adopt(credential.key, std::move(next_secret), "its slot was regenerated", now);
    parts_.probe_soon(credential.key, now);
  } else if (!entry.empty()) {
    parts_.keyring->drop(entry);
    batch.dropped_sealed.push_back(entry);
    parts_.adopt(credential.key, nullptr, "its secret was retired; the next rotation makes another",
                 now);
  }
  close_row(credential, false, credential.name + " is ended", now);
}

// The row that waits for this credential, if there is one.
void Pools::close_row(const Credential& credential, bool called_off, const std::string& note,
                      Instant now) {
  Record* found = find(credential.pool);
  if (found == nullptr)
    return;
  Record& record = *found;
  record.dirty = true;
  for (const model::Rotation& row : record.history) {
    if (row.id != credential.rotation || row.state != model::RotationState::retiring)
      continue;
    const model::Rotation present = row;
    proceed(record, rotation::ended(present, called_off, note, now.wall), now);
    return;
  }
}

void Pools::ending_step_finished(const rotation::StepDone& done, Instant now) {
  const auto found = credentials_.find(done.request.credential);
  if (found == credentials_.end() ||
      (!done.status && done.status.error().code == ErrorCode::cancelled))
    return;
  const Credential before = found->second;
  const auto awaited = done.request.kind == rotation::StepRequest::Kind::revoke
                           ? CredentialState::revoking
                           : CredentialState::confirming;
  if (before.state != awaited)
    return;
  rotation::Ending ending = rotation::advance_ending(before, facts_of(before, now), done);
  if (!done.status && done.request.kind == rotation::StepRequest::Kind::revoke) {
    parts_.log.warn("credential {} could not be ended: {}", before.name,
                    done.status.error().message);
    const auto record = records_.find(before.pool);
    if (done.request.attempt == kAttemptsBeforeAlarm && record != records_.end()) {
      ++record->second.totals.failures[static_cast<std::size_t>(model::RotationFailure::hook)];
      store_totals(record->second);
    }
  }
  apply(std::move(ending), done.secret, now);
}

}  // namespace keyherd::engine
