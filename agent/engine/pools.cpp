#include "engine/pools.hpp"

#include <spdlog/logger.h>

#include <algorithm>

#include "base/time_text.hpp"

namespace keyherd::engine {

namespace {

constexpr std::size_t kHistory = 100;
constexpr std::size_t kShownRotations = 100;
// A fire that was missed by more than this waits for the next one.
constexpr std::chrono::minutes kCatchUpWindow{10};
// How long a pool without a key waits at a start for its best one to prove itself.
constexpr std::chrono::seconds kFirstChoice{2};
constexpr std::size_t kMissedCap = 1'000'000;

std::string schedule_setting(const std::string& pool) {
  return "schedule." + pool;
}

std::string schedule_identity(const model::Pool& pool) {
  return pool.schedule + " | " + pool.timezone;
}

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

void Pools::configure(std::shared_ptr<const Setup> setup, Instant now) {
  if (!setup_)
    settled_at_ = now.wall + kFirstChoice;
  setup_ = std::move(setup);
  std::map<std::string, Record> kept = std::exchange(records_, {});
  pools_of_key_.clear();
  for (const model::Pool& pool : setup_->config.pools) {
    Record& record = records_[pool.id];
    if (const auto old = kept.find(pool.id); old != kept.end())
      record = std::move(old->second);
    const bool same_schedule = schedule_identity(record.pool) == schedule_identity(pool);
    record.pool = pool;
    record.state.pool = pool.id;
    record.dirty = true;
    const auto schedule = setup_->schedules.find(pool.id);
    record.schedule =
        schedule == setup_->schedules.end() ? std::nullopt : std::optional(schedule->second);
    if (!record.schedule) {
      record.next_fire.reset();
    } else if (!same_schedule || !record.next_fire) {
      // A schedule that was edited never fires for the past.
      record.last_fire = now.wall;
      record.next_fire = record.schedule->next(now.wall);
      parts_.pipeline.next().settings[schedule_setting(pool.id)] = schedule_identity(pool);
    }
    for (const std::string& key : pool.keys)
      pools_of_key_.emplace(key, pool.id);
    changed_.insert(pool.id);
  }
}

void Pools::restore(const store::State& state, Instant now) {
  for (auto& [id, record] : records_) {
    if (const auto known = state.pools.find(id); known != state.pools.end())
      record.state = known->second;
    if (const auto totals = state.pool_totals.find(id); totals != state.pool_totals.end())
      record.totals = totals->second;
    for (const model::Rotation& rotation : state.rotations) {
      if (rotation.pool == id && record.history.size() < kHistory)
        record.history.push_back(rotation);
      if (rotation.pool != id || rotation.state != model::RotationState::committed)
        continue;  // newest first: the first of a kind is its last
      if (!record.last_success_at)
        record.last_success_at = rotation.updated_at;
      if (!record.last_scheduled_success_at && rotation.trigger == model::RotationTrigger::schedule)
        record.last_scheduled_success_at = rotation.updated_at;
    }
    record.republish = !record.state.active.empty();
    const auto identity = state.settings.find(schedule_setting(id));
    const auto fire = state.last_fires.find(id);
    if (record.schedule && fire != state.last_fires.end() && identity != state.settings.end() &&
        identity->second == schedule_identity(record.pool)) {
      record.last_fire = fire->second.scheduled_at;
      record.next_fire = record.schedule->next(*record.last_fire);
    }
  }
  for (auto& [id, record] : records_) {
    const auto unfinished = record.history;
    for (const model::Rotation& rotation : unfinished) {
      if (!model::is_final(rotation.state))
        proceed(record, rotation::resume(context_of(record, now), rotation), now);
    }
  }
  // Rotations of pools that are gone must not stay open for ever.
  for (const model::Rotation& rotation : state.rotations) {
    if (!model::is_final(rotation.state) && !records_.contains(rotation.pool))
      parts_.pipeline.next().rotations.push_back(
          rotation::abandon(rotation, "its pool is no longer configured", now.wall).rotation);
  }
}

void Pools::key_changed(const std::string& key) {
  const auto [first, last] = pools_of_key_.equal_range(key);
  for (auto pool = first; pool != last; ++pool)
    records_.at(pool->second).dirty = true;
}

void Pools::run(Instant now) {
  while (!delayed_.empty() && delayed_.begin()->first <= now.steady) {
    rotation::StepRequest step = std::move(delayed_.begin()->second);
    delayed_.erase(delayed_.begin());
    run_step(std::move(step), now);
  }
  for (auto& [id, record] : records_) {
    fire_if_due(record, now);
    if (record.dirty || (record.ask_again && *record.ask_again <= now.wall))
      consider(record, now);
    refresh_if_due(record, now);
  }
}

std::optional<SteadyTime> Pools::next_due(Instant now) const {
  std::optional<SteadyTime> due;
  const auto sooner = [&](SteadyTime time) { due = std::min(due.value_or(time), time); };
  const auto at_wall = [&](WallTime time) { sooner(now.steady + (time - now.wall)); };
  if (!delayed_.empty())
    sooner(delayed_.begin()->first);
  for (const auto& [id, record] : records_) {
    if (record.dirty)
      sooner(now.steady);
    if (record.next_fire)
      at_wall(*record.next_fire);
    if (record.ask_again)
      at_wall(*record.ask_again);
  }
  return due;
}

rotation::WorkflowContext Pools::context_of(const Record& record, Instant now) const {
  rotation::WorkflowContext context{record.pool, record.state, false, std::nullopt, now.wall};
  const model::Rotation* running = nullptr;
  for (const model::Rotation& rotation : record.history) {
    if (!model::is_final(rotation.state))
      running = &rotation;
  }
  for (const rotation::Candidate& member : parts_.candidates(record.pool, now)) {
    if (running != nullptr && member.key == running->from)
      context.previous_works = member.secret_loaded && model::is_usable(member.state);
    if (member.key == (running != nullptr ? running->to : record.state.active))
      context.expires_at = member.expires_at;
  }
  return context;
}

void Pools::consider(Record& record, Instant now) {
  record.dirty = false;
  record.ask_again.reset();
  changed_.insert(record.pool.id);
  const auto members = parts_.candidates(record.pool, now);
  const bool still_proving =
      std::any_of(members.begin(), members.end(), [](const rotation::Candidate& member) {
        return member.state == model::KeyState::unknown && member.secret_loaded;
      });
  if (record.state.active.empty() && still_proving && now.wall < settled_at_) {
    record.ask_again = settled_at_;
    return;
  }
  const std::vector<model::Rotation> history(record.history.begin(), record.history.end());
  const rotation::Situation situation{record.pool, record.state, members, history, now.wall};
  const auto request = rotation::wanted(situation);
  if (!request) {
    record.problem.clear();
    return;
  }
  const auto plan = rotation::plan(situation, *request);
  if (plan) {
    record.problem.clear();
    start(record, *plan, now);
  } else {
    refused(record, plan.error(), *request);
  }
}

void Pools::refused(Record& record, const rotation::Refusal& refusal,
                    const rotation::Request& request) {
  record.ask_again = refusal.until;
  if (refusal.guard == rotation::Guard::conflict || refusal.message == record.problem)
    return;
  record.problem = refusal.message;
  parts_.log.warn("{} (wanted: {})", refusal.message, request.reason);
  if (refusal.failure) {
    ++record.totals.failures[static_cast<std::size_t>(*refusal.failure)];
    store_totals(record);
  }
}

void Pools::fire_if_due(Record& record, Instant now) {
  if (!record.next_fire || *record.next_fire > now.wall)
    return;
  const cron::Firings missed = record.schedule->between(
      record.last_fire.value_or(*record.next_fire - std::chrono::nanoseconds(1)), now.wall,
      kMissedCap);
  const WallTime fire = missed.latest.value_or(*record.next_fire);
  const bool late = now.wall - fire > kCatchUpWindow;
  record.last_fire = fire;
  record.next_fire = record.schedule->next(std::max(fire, now.wall));
  const auto skipped = static_cast<std::int64_t>(missed.count) - (late ? 0 : 1);
  record.totals.schedule_missed += std::max<std::int64_t>(0, skipped);
  std::string outcome = "missed";
  if (!late) {
    ++record.totals.schedule_runs;
    const auto members = parts_.candidates(record.pool, now);
    const std::vector<model::Rotation> history(record.history.begin(), record.history.end());
    const auto request = rotation::scheduled(record.pool);
    const auto plan =
        rotation::plan({record.pool, record.state, members, history, now.wall}, request);
    outcome = plan ? "started" : "skipped";
    if (plan) {
      start(record, *plan, now);
    } else {
      ++record.totals.schedule_failures;
      parts_.log.warn("schedule of pool {} did not rotate: {}", record.pool.id,
                      plan.error().message);
    }
  } else {
    parts_.log.warn("schedule of pool {} missed {} firings, the last at {}", record.pool.id,
                    missed.count, format_rfc3339(fire));
  }
  parts_.pipeline.next().fires.push_back({record.pool.id, fire, now.wall, outcome});
  store_totals(record);
  changed_.insert(record.pool.id);
}

void Pools::refresh_if_due(Record& record, Instant now) {
  if (record.refreshing || record.state.active.empty() ||
      (!record.republish && !rotation::refresh_due(record.pool, record.state, now.wall)))
    return;
  const bool busy = std::any_of(record.history.begin(), record.history.end(),
                                [](const auto& row) { return !model::is_final(row.state); });
  if (busy)
    return;
  record.refreshing = true;
  record.republish = false;
  run_step(rotation::refresh(context_of(record, now)), now);
}

std::string Pools::start(Record& record, const rotation::Plan& plan, Instant now) {
  if (!plan.supersedes.empty()) {
    for (const model::Rotation& row : record.history) {
      if (row.id == plan.supersedes) {
        const model::Rotation overtaken = row;
        proceed(record, rotation::abandon(overtaken, "overtaken by an emergency", now.wall), now);
        break;
      }
    }
  }
  const std::string id = rotation::make_rotation_id(now.wall, parts_.random);
  parts_.log.info("rotation {}: pool {} from {} to {}: {}", id, plan.pool,
                  plan.from.empty() ? "nothing" : plan.from, plan.to, plan.reason);
  proceed(record, rotation::begin(context_of(record, now), plan, id), now);
  return id;
}

void Pools::proceed(Record& record, rotation::Transition transition, Instant now) {
  remember(record, transition.rotation);
  parts_.pipeline.next().rotations.push_back(transition.rotation);
  if (transition.pool)
    parts_.pipeline.next().pools.push_back(*transition.pool);
  if (transition.failure) {
    ++record.totals.failures[static_cast<std::size_t>(*transition.failure)];
    store_totals(record);
  }
  if (transition.rotation.state == model::RotationState::published && transition.pool) {
    ++record.totals.rotations[static_cast<std::size_t>(transition.rotation.trigger)];
    store_totals(record);
  }
  parts_.pipeline.then([this, pool = record.pool.id, transition = std::move(transition)](
                           Instant then) { after_commit(pool, transition, then); });
  changed_.insert(record.pool.id);
  static_cast<void>(now);
}

void Pools::after_commit(const std::string& pool, const rotation::Transition& transition,
                         Instant now) {
  const auto found = records_.find(pool);
  if (found == records_.end())
    return;  // the pool was removed by a reload; the journal has the row
  Record& record = found->second;
  if (transition.pool) {
    record.state = *transition.pool;
    parts_.log.info("pool {}: {} is active, generation {}", pool, record.state.active,
                    record.state.generation);
  }
  if (transition.probe_now)
    parts_.probe_soon(transition.rotation.to, now);
  if (transition.next) {
    if (transition.next->delay > std::chrono::nanoseconds(0))
      delayed_.emplace(now.steady + transition.next->delay, *transition.next);
    else
      run_step(*transition.next, now);
  }
  if (model::is_final(transition.rotation.state))
    settle(record, transition.rotation, now);
  changed_.insert(pool);
}

void Pools::settle(Record& record, const model::Rotation& rotation, Instant now) {
  const double seconds =
      std::chrono::duration<double>(rotation.updated_at - rotation.started_at).count();
  model::observe(durations_, std::max(0.0, seconds));
  if (rotation.state == model::RotationState::committed) {
    record.last_success_at = now.wall;
    if (rotation.trigger == model::RotationTrigger::schedule)
      record.last_scheduled_success_at = now.wall;
  } else {
    parts_.log.warn("rotation {} of pool {} ended {}: {}", rotation.id, rotation.pool,
                    model::to_string(rotation.state),
                    rotation.steps.empty() ? "" : rotation.steps.back().note);
  }
  if (record.waiting && record.waiting_for == rotation.id) {
    record.waiting->set(rotation);
    record.waiting.reset();
    parts_.effects.notify_readers();
  }
  record.dirty = true;
}

void Pools::run_step(rotation::StepRequest step, Instant now) {
  if (step.kind == rotation::StepRequest::Kind::verify) {
    const std::string key = step.key;
    parts_.verify(key, std::move(step), now);
    return;
  }
  const auto secret = setup_->secrets.find(step.key);
  parts_.effects.run_step(
      StepOrder{std::move(step), secret == setup_->secrets.end() ? nullptr : secret->second.secret,
                setup_->signing_secrets});
}

void Pools::step_finished(const rotation::StepDone& done, Instant now) {
  count_outcomes(done);
  const auto found = records_.find(done.request.pool);
  if (found == records_.end())
    return;
  Record& record = found->second;
  if (done.request.kind == rotation::StepRequest::Kind::refresh) {
    finish_refresh(record, done, now);
    return;
  }
  const auto row = std::find_if(record.history.begin(), record.history.end(),
                                [&](const auto& one) { return one.id == done.request.rotation; });
  if (row == record.history.end())
    return;
  if (auto transition = rotation::advance(context_of(record, now), model::Rotation(*row), done))
    proceed(record, std::move(*transition), now);
}

void Pools::finish_refresh(Record& record, const rotation::StepDone& done, Instant now) {
  const bool written = std::all_of(done.outcomes.begin(), done.outcomes.end(),
                                   [](const auto& outcome) { return outcome.status.has_value(); });
  record.refreshing = false;
  if (done.request.generation != record.state.generation)
    return;  // a rotation came between
  if (!written) {
    record.ask_again = now.wall + std::chrono::seconds(30);
    parts_.log.warn("pool {}: the published decision could not be renewed; it is tried again",
                    record.pool.id);
    return;
  }
  record.state.decided_at = done.request.published_at;
  parts_.pipeline.next().pools.push_back(record.state);
  changed_.insert(record.pool.id);
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

void Pools::remember(Record& record, const model::Rotation& rotation) {
  for (model::Rotation& row : record.history) {
    if (row.id == rotation.id) {
      row = rotation;
      return;
    }
  }
  record.history.push_front(rotation);
  if (record.history.size() > kHistory)
    record.history.pop_back();
}

void Pools::store_totals(const Record& record) {
  parts_.pipeline.next().pool_totals[record.pool.id] = record.totals;
}

Promise<model::Rotation> Pools::rotate(const api::RotateCommand& command, Instant now) {
  Promise<model::Rotation> promise;
  const auto found = records_.find(command.pool);
  if (found == records_.end()) {
    promise.set(fail(ErrorCode::not_found, "no pool '" + command.pool + "'"));
    return promise;
  }
  Record& record = found->second;
  const auto members = parts_.candidates(record.pool, now);
  const std::vector<model::Rotation> history(record.history.begin(), record.history.end());
  rotation::Request request;
  request.to = command.to;
  request.reason = command.reason.empty() ? "asked for by hand" : command.reason;
  request.actor = command.actor;
  request.by_person = true;
  const auto plan =
      rotation::plan({record.pool, record.state, members, history, now.wall}, request);
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

std::optional<api::ActiveKey> Pools::active(const std::string& pool) const {
  const auto found = records_.find(pool);
  if (found == records_.end() || found->second.state.active.empty())
    return std::nullopt;
  const Record& record = found->second;
  const auto secret = setup_->secrets.find(record.state.active);
  if (secret == setup_->secrets.end() || !secret->second.secret)
    return std::nullopt;
  std::optional<WallTime> expires_at;
  for (const model::Key& key : setup_->config.keys) {
    if (key.id == record.state.active)
      expires_at = key.expires_at;
  }
  return api::ActiveKey{pool,
                        record.state.active,
                        secret->second.secret,
                        record.state.generation,
                        record.state.decided_at,
                        rotation::valid_until(record.pool, expires_at, record.state.decided_at)};
}

std::set<std::string> Pools::take_changed() {
  return std::exchange(changed_, {});
}

model::PoolView Pools::view(const std::string& pool, Instant now) const {
  const Record& record = records_.at(pool);
  model::PoolView view;
  view.pool = record.pool;
  view.state = record.state;
  const auto members = parts_.candidates(record.pool, now);
  const auto usable = rotation::usable(record.pool, members, now.wall);
  std::set<std::string> all_groups;
  std::set<std::string> usable_groups;
  for (const rotation::Candidate& member : members)
    all_groups.insert(member.limit_group);
  for (const rotation::Candidate* member : usable)
    usable_groups.insert(member->limit_group);
  view.available = static_cast<int>(usable.size());
  view.survives_key_loss = usable.size() > 1 && (all_groups.size() < 2 || usable_groups.size() > 1);
  view.next_rotation_at = record.next_fire;
  view.last_scheduled_at = record.last_fire;
  view.last_success_at = record.last_success_at;
  view.last_scheduled_success_at = record.last_scheduled_success_at;
  view.rotations = record.totals.rotations;
  view.failures = record.totals.failures;
  view.schedule_runs = record.totals.schedule_runs;
  view.schedule_failures = record.totals.schedule_failures;
  view.schedule_missed = record.totals.schedule_missed;
  view.problem = record.problem;
  return view;
}

std::vector<model::Rotation> Pools::recent_rotations() const {
  std::vector<model::Rotation> all;
  for (const auto& [id, record] : records_)
    all.insert(all.end(), record.history.begin(), record.history.end());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.id > b.id; });
  if (all.size() > kShownRotations)
    all.resize(kShownRotations);
  return all;
}

}  // namespace keyherd::engine
