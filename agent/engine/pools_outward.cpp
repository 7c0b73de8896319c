// What others ask of the pools: a rotation by hand, the published decision, the views.

#include <spdlog/logger.h>

#include <algorithm>

#include "base/time_text.hpp"
#include "engine/pools.hpp"
#include "quota/forecast.hpp"

namespace keyherd::engine {

namespace {

std::string_view kind_of(const model::PublishTarget& target) {
  struct Kind {
    std::string_view operator()(const model::PublishFile&) const { return "file"; }
    std::string_view operator()(const model::PublishExec&) const { return "exec"; }
    std::string_view operator()(const model::PublishWebhook&) const { return "webhook"; }
  };
  return std::visit(Kind{}, target);
}

// A refused request as a row that people can read; it is not journaled.
model::Rotation refused_rotation(const model::Pool& pool, const model::PoolState& state,
                                 const rotation::Request& request, const std::string& message,
                                 WallTime now) {
  model::Rotation rotation;
  rotation.pool = pool.id;
  rotation.from = state.active;
  rotation.to = request.to.value_or("");
  rotation.generation = state.generation;
  rotation.trigger = request.trigger;
  rotation.state = model::RotationState::refused;
  rotation.reason = message;
  rotation.actor = request.actor;
  rotation.started_at = now;
  rotation.updated_at = now;
  rotation.steps.push_back({model::RotationState::refused, now, message});
  return rotation;
}

model::Rotation planned_rotation(const rotation::Plan& plan, const model::Pool& pool,
                                 const model::PoolState& state, WallTime now) {
  model::Rotation rotation;
  rotation.pool = plan.pool;
  rotation.from = plan.from;
  rotation.to = plan.to;
  rotation.generation = state.generation + 1;
  rotation.trigger = plan.trigger;
  rotation.state = model::RotationState::planned;
  rotation.reason = plan.reason;
  rotation.actor = plan.actor;
  rotation.started_at = now;
  rotation.updated_at = now;
  for (const std::string& line : rotation::describe(plan, pool))
    rotation.steps.push_back({model::RotationState::planned, now, line});
  return rotation;
}

}  // namespace

Promise<model::Rotation> Pools::rotate(const api::RotateCommand& command, Instant now) {
  Promise<model::Rotation> promise;
  const auto found = records_.find(command.pool);
  if (found == records_.end()) {
    promise.set(fail(ErrorCode::not_found, "no pool '" + command.pool + "'"));
    return promise;
  }
  Record& record = found->second;
  rotation::Request request;
  request.to = command.to;
  request.reason = command.reason.empty() ? "asked for by hand" : command.reason;
  request.actor = command.actor;
  request.by_person = true;
  const auto plan = plan_for(record, request, now);
  if (!plan && !command.dry_run)
    note_refusal(record, plan.error(), request, now);
  if (!plan && plan.error().guard == rotation::Guard::conflict) {
    promise.set(fail(ErrorCode::conflict, plan.error().message));
  } else if (!plan) {
    promise.set(
        refused_rotation(record.pool, record.state, request, plan.error().message, now.wall));
  } else if (command.dry_run) {
    promise.set(planned_rotation(*plan, record.pool, record.state, now.wall));
  } else {
    record.waiting = promise;
    record.waiting_for = start(record, *plan, now);
  }
  return promise;
}

Result<model::PoolView> Pools::freeze(const std::string& pool, model::Freeze freeze, Instant now) {
  const auto found = records_.find(pool);
  if (found == records_.end())
    return fail(ErrorCode::not_found, "no pool '" + pool + "'");
  Record& record = found->second;
  parts_.pipeline.next().settings[freeze_setting(pool)] = freeze_to_text(freeze);
  parts_.log.warn("pool {} is frozen by {} until {}: {}", pool, freeze.actor,
                  freeze.until ? format_rfc3339(*freeze.until) : "it is unfrozen", freeze.reason);
  parts_.audit.note({.actor = freeze.actor,
                     .act = model::AuditAct::frozen,
                     .pool = pool,
                     .text = (freeze.until ? "until " + format_rfc3339(*freeze.until)
                                           : std::string("until it is unfrozen")) +
                             (freeze.reason.empty() ? "" : ": " + freeze.reason)},
                    now);
  record.freeze = std::move(freeze);
  record.dirty = true;
  changed_.insert(pool);
  return view(pool, now);
}

Result<model::PoolView> Pools::unfreeze(const std::string& pool, const std::string& actor,
                                        Instant now) {
  const auto found = records_.find(pool);
  if (found == records_.end())
    return fail(ErrorCode::not_found, "no pool '" + pool + "'");
  found->second.freeze.reset();
  found->second.dirty = true;
  parts_.pipeline.next().settings[freeze_setting(pool)] = "";
  parts_.log.info("pool {} is unfrozen by {}", pool, actor);
  parts_.audit.note({.actor = actor, .act = model::AuditAct::unfrozen, .pool = pool}, now);
  changed_.insert(pool);
  return view(pool, now);
}

// By hand first: it holds back more.
std::optional<model::Freeze> Pools::freeze_of(const Record& record, WallTime now) const {
  if (record.freeze && (!record.freeze->until || now < *record.freeze->until))
    return record.freeze;
  const auto windows = setup_->freezes.find(record.pool.id);
  return windows == setup_->freezes.end() ? std::nullopt : open_window(windows->second, now);
}

void Pools::count_outcomes(const rotation::StepDone& done) {
  for (const rotation::TargetOutcome& outcome : done.outcomes) {
    const std::string kind(kind_of(outcome.target));
    ++notifications_[kind];
    if (!outcome.status) {
      ++notification_failures_[kind];
      parts_.log.warn("publishing pool {} to {} failed: {}", done.request.pool,
                      model::describe(outcome.target), outcome.status.error().message);
    }
  }
}

// Whoever asked for it hears of it once consumers have the key and it works: what follows may take
// hours.
void Pools::answer_waiting(Record& record, const model::Rotation& rotation) {
  const bool told = model::is_final(rotation.state) ||
                    rotation.state == model::RotationState::retiring ||
                    rotation.state == model::RotationState::verified;
  if (!told || !record.waiting || record.waiting_for != rotation.id)
    return;
  record.waiting->set(rotation);
  record.waiting.reset();
  parts_.effects.notify_readers();
}

std::optional<api::ActiveKey> Pools::active(const std::string& pool) const {
  const auto found = records_.find(pool);
  if (found == records_.end() || found->second.state.active.empty())
    return std::nullopt;
  const Record& record = found->second;
  auto secret = secret_of(record.state.active);
  if (!secret)
    return std::nullopt;
  return api::ActiveKey{
      pool,
      record.state.active,
      std::move(secret),
      record.state.generation,
      record.state.decided_at,
      rotation::valid_until(record.pool, parts_.key(record.state.active)->expires_at(),
                            record.state.decided_at)};
}

std::set<std::string> Pools::take_changed() {
  return std::exchange(changed_, {});
}

namespace {

quota::PoolForecast forecast_of(const std::vector<rotation::Candidate>& members,
                                const std::vector<const rotation::Candidate*>& usable,
                                WallTime now) {
  const std::set<const rotation::Candidate*> fit(usable.begin(), usable.end());
  std::vector<quota::PoolMember> all;
  all.reserve(members.size());
  for (const rotation::Candidate& member : members)
    all.push_back({member.key, member.limit_group, fit.contains(&member), member.quotas});
  return quota::forecast_pool(all, now);
}

}  // namespace

std::optional<double> Pools::adoption_of(const Record& record, WallTime now) const {
  std::int64_t all = 0;
  std::int64_t of_active = 0;
  for (const std::string& id : record.pool.keys) {
    const KeyRecord* key = parts_.key(id);
    const std::int64_t requests = key == nullptr ? 0 : key->errors.requests(now);
    all += requests;
    of_active += id == record.state.active ? requests : 0;
  }
  if (all == 0 || record.state.active.empty())
    return std::nullopt;
  return static_cast<double>(of_active) / static_cast<double>(all);
}

model::PoolView Pools::view(const std::string& pool, Instant now) const {
  const Record& record = records_.at(pool);
  model::PoolView view;
  view.pool = record.pool;
  view.state = record.state;
  auto members = parts_.candidates(record.pool, now);
  for (rotation::Candidate& member : members)
    member.drilled = false;  // a drill alarms nobody
  const auto usable = rotation::usable(record.pool, members, now.wall);
  std::set<std::string> all_groups;
  std::set<std::string> usable_groups;
  for (const rotation::Candidate& member : members)
    all_groups.insert(member.limit_group);
  for (const rotation::Candidate* member : usable)
    usable_groups.insert(member->limit_group);
  view.available = static_cast<int>(usable.size());
  const quota::PoolForecast forecast = forecast_of(members, usable, now.wall);
  view.survives_key_loss = usable.size() > 1 &&
                           (all_groups.size() < 2 || usable_groups.size() > 1) &&
                           forecast.survives_key_loss;
  view.exhausted_at = forecast.exhausted_at;
  view.next_rotation_at = record.schedule.next();
  view.last_scheduled_at = record.schedule.last();
  view.freeze = freeze_of(record, now.wall);
  view.adoption = adoption_of(record, now.wall);
  view.last_success_at = record.last_success_at;
  view.last_scheduled_success_at = record.last_scheduled_success_at;
  view.rotations = record.totals.rotations;
  view.failures = record.totals.failures;
  view.schedule_runs = record.totals.schedule_runs;
  view.schedule_failures = record.totals.schedule_failures;
  view.schedule_missed = record.totals.schedule_missed;
  view.problem = record.problem;
  for (const auto& [name, credential] : credentials_) {
    if (credential.pool == pool && view.problem.empty())
      view.problem = credential.note;
  }
  return view;
}

}  // namespace keyherd::engine
