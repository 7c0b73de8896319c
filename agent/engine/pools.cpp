#include "engine/pools.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>

#include <algorithm>
#include <iterator>

#include "base/time_text.hpp"

namespace keyherd::engine {

namespace {

// How long a pool without a key waits at a start for its best one to prove itself.
constexpr std::chrono::seconds kFirstChoice{2};
constexpr std::chrono::seconds kRepublishAfter{30};
constexpr std::chrono::seconds kLookAgain{1};

std::string schedule_setting(const std::string& pool) {
  return "schedule." + pool;
}

// From when on the schedule is in force: what was due since then was missed.
std::string since_setting(const std::string& pool) {
  return "schedule_since." + pool;
}

}  // namespace

void Pools::configure(std::shared_ptr<const Setup> setup, Instant now) {
  if (!setup_)
    settled_at_ = now.wall + kFirstChoice;
  setup_ = std::move(setup);
  std::map<std::string, Record> kept = std::exchange(records_, {});
  pools_of_key_.clear();
  recent_.reset();
  for (const model::Pool& pool : setup_->config.pools) {
    Record& record = records_[pool.id];
    if (auto old = kept.extract(pool.id))
      record = std::move(old.mapped());
    else if (auto back = absent_.extract(pool.id))
      record = std::move(back.mapped());
    record.pool = pool;
    record.state.pool = pool.id;
    record.dirty = true;
    const auto schedule = setup_->schedules.find(pool.id);
    const bool changed = record.schedule.configure(
        pool, schedule == setup_->schedules.end() ? std::nullopt : std::optional(schedule->second),
        now.wall);
    if (changed) {
      parts_.pipeline.next().settings[schedule_setting(pool.id)] = record.schedule.identity();
      parts_.pipeline.next().settings[since_setting(pool.id)] = format_rfc3339(now.wall);
    }
    for (const std::string& key : pool.keys)
      pools_of_key_.emplace(key, pool.id);
    changed_.insert(pool.id);
  }
  for (auto& [id, record] : kept)
    leave(id, std::move(record), now);
}

void Pools::restore(const store::State& state, Instant now) {
  recent_.reset();
  for (const auto& [id, pool] : state.pools)
    find_or_add_absent(id, now).state = pool;
  for (const auto& [id, totals] : state.pool_totals)
    find_or_add_absent(id, now).totals = totals;
  for (const model::Rotation& rotation : state.rotations) {
    Record& record = find_or_add_absent(rotation.pool, now);
    record.history.push_back(rotation);
    const auto committed = rotation::committed_at(rotation);
    if (!committed)
      continue;  // newest first: the first of a kind is its last
    if (!record.last_success_at)
      record.last_success_at = committed;
    if (!record.last_scheduled_success_at && rotation.trigger == model::RotationTrigger::schedule)
      record.last_scheduled_success_at = committed;
  }
  const auto restore_freeze = [&](const std::string& id, Record& record) {
    if (const auto freeze = state.settings.find(freeze_setting(id)); freeze != state.settings.end())
      record.freeze = freeze_from_text(freeze->second);
  };
  for (auto& [id, record] : absent_)
    restore_freeze(id, record);
  for (auto& [id, record] : records_) {
    restore_freeze(id, record);
    record.republish_at = now.wall;
    const auto identity = state.settings.find(schedule_setting(id));
    const auto fire = state.last_fires.find(id);
    const bool same =
        identity != state.settings.end() && identity->second == record.schedule.identity();
    std::optional<WallTime> handled;
    if (fire != state.last_fires.end())
      handled = fire->second.scheduled_at;
    if (const auto since = state.settings.find(since_setting(id)); since != state.settings.end()) {
      const auto at = parse_rfc3339(since->second);
      if (at)
        handled = std::max(*at, handled.value_or(*at));
    }
    if (same && handled)
      record.schedule.restore(*handled);
  }
  restore_secrets(state, now);
  for (auto& [id, record] : records_) {
    const auto unfinished = record.history;
    for (const model::Rotation& rotation : unfinished) {
      if (!model::is_final(rotation.state))
        proceed(record, rotation::resume(context_of(record, &rotation, now), rotation), now);
    }
  }
  for (auto& [id, record] : absent_) {
    end_rows(record, rotation::is_in_progress, now);
    // Also those that retire a last key, as the ones above may now: the run in which the pool could
    // come back for them is over.
    end_rows(
        record, [](const auto& row) { return !model::is_final(row.state); }, now);
  }
}

void Pools::key_changed(const std::string& key) {
  const auto [first, last] = pools_of_key_.equal_range(key);
  for (auto pool = first; pool != last; ++pool)
    records_.at(pool->second).dirty = true;
  // A leaving secret that is refused now need not be waited for.
  for (auto& [name, at] : look_at_) {
    const auto leaving = credentials_.find(name);
    if (leaving != credentials_.end() && leaving->second.key == key)
      at = WallTime{};
  }
}

void Pools::key_used(const std::string& key) {
  const auto [first, last] = pools_of_key_.equal_range(key);
  for (auto pool = first; pool != last; ++pool) {
    Record& record = records_.at(pool->second);
    record.dirty = record.dirty || record.state.active == key || record.state.active.empty();
    record.read = true;
  }
}

void Pools::run(Instant now) {
  while (!delayed_.empty() && delayed_.begin()->first <= now.steady) {
    rotation::StepRequest step = std::move(delayed_.begin()->second);
    delayed_.erase(delayed_.begin());
    run_step(std::move(step), now);
  }
  for (auto& [id, record] : records_) {
    fire_if_due(record, now);
    watch_adoption(record, now);
    if (record.dirty || (record.ask_again && *record.ask_again <= now.wall))
      consider(record, now);
    refresh_if_due(record, now);
  }
  end_secrets(now);
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
    if (const auto fire = record.schedule.next())
      at_wall(*fire);
    if (record.ask_again)
      at_wall(*record.ask_again);
    if (record.republish_at && !record.state.active.empty())
      at_wall(*record.republish_at);
    if (record.adopt_by)
      at_wall(*record.adopt_by);
  }
  for (const auto& [name, at] : look_at_)
    at_wall(at);
  return due;
}

rotation::WorkflowContext Pools::context_of(const Record& record, const model::Rotation* row,
                                            Instant now) const {
  rotation::WorkflowContext context{record.pool, record.state, false, std::nullopt, now.wall};
  const std::string& published = row != nullptr ? row->to : record.state.active;
  for (const rotation::Candidate& member : parts_.candidates(record.pool, now)) {
    if (row != nullptr && member.key == row->from) {
      // A provider that the pool leaves for its incident is none to go back to in it.
      const bool left = member.frozen && model::rotates_on(record.pool, model::RotateOn::incident);
      context.previous_works = member.secret_loaded && model::is_usable(member.state) && !left;
    }
    if (member.key == published)
      context.expires_at = member.expires_at;
  }
  if (row == nullptr)
    return context;
  context.has_logs = !setup_->config.usage_logs.empty();
  if (const KeyRecord* to = parts_.key(row->to))
    context.to_used_at = to->last_used_at;
  if (const KeyRecord* from = parts_.key(row->from))
    context.from_used_at = from->last_used_at;
  if (const auto minted = credentials_.find(row->credential); minted != credentials_.end())
    context.minted = minted->second;
  add_ending(context, *row);
  return context;
}

void Pools::consider(Record& record, Instant now) {
  record.dirty = false;
  record.ask_again.reset();
  if (record.deciding)
    return;  // it is looked at again once that is committed
  changed_.insert(record.pool.id);
  const auto members = members_of(record, now);
  const bool still_proving =
      std::any_of(members.begin(), members.end(), [](const rotation::Candidate& member) {
        return member.state == model::KeyState::unknown && member.secret_loaded;
      });
  if (record.state.active.empty() && still_proving && now.wall < settled_at_) {
    record.ask_again = settled_at_;
    return;
  }
  const rotation::Situation situation{record.pool,    record.state, members,
                                      record.history, now.wall,     freeze_of(record, now.wall)};
  // Prices change on quarters of an hour.
  if (rotation::depends_on_prices(record.pool))
    record.ask_again = model::bucket_start(model::bucket_of(now.wall) + 1);
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
    refused(record, plan.error(), *request, now);
  }
}

void Pools::refused(Record& record, const rotation::Refusal& refusal,
                    const rotation::Request& request, Instant now) {
  if (refusal.until)
    record.ask_again = std::min(*refusal.until, record.ask_again.value_or(*refusal.until));
  if (refusal.guard == rotation::Guard::conflict || refusal.message == record.problem)
    return;
  record.problem = refusal.message;
  parts_.log.warn("{} (wanted: {})", refusal.message, request.reason);
  note_refusal(record, refusal, request, now);
  if (refusal.failure) {
    ++record.totals.failures[static_cast<std::size_t>(*refusal.failure)];
    store_totals(record);
  }
}

void Pools::fire_if_due(Record& record, Instant now) {
  const auto fire = record.schedule.take_due(now.wall);
  if (!fire)
    return;
  record.totals.schedule_missed += fire->missed;
  std::string outcome = "missed";
  if (!fire->too_late) {
    ++record.totals.schedule_runs;
    const rotation::Request request = rotation::scheduled(record.pool);
    const auto plan = plan_for(record, request, now);
    outcome = plan ? "started" : "skipped";
    if (plan) {
      start(record, *plan, now);
    } else {
      ++record.totals.schedule_failures;
      note_refusal(record, plan.error(), request, now);
      parts_.log.warn("schedule of pool {} did not rotate: {}", record.pool.id,
                      plan.error().message);
    }
  } else {
    parts_.log.warn("schedule of pool {} missed {} firings, the last at {}", record.pool.id,
                    fire->missed, format_rfc3339(fire->scheduled_at));
  }
  if (fire->missed > 0)
    parts_.audit.note(
        {.act = model::AuditAct::missed,
         .pool = record.pool.id,
         .text = fmt::format("{} firings of {}, the last due at {}", fire->missed,
                             record.pool.schedule, format_rfc3339(fire->scheduled_at))},
        now);
  parts_.pipeline.next().fires.push_back({record.pool.id, fire->scheduled_at, now.wall, outcome});
  store_totals(record);
  changed_.insert(record.pool.id);
}

tl::expected<rotation::Plan, rotation::Refusal> Pools::plan_for(const Record& record,
                                                                const rotation::Request& request,
                                                                Instant now) const {
  // Planned from the state before, two decisions would have the same generation.
  if (record.deciding) {
    rotation::Refusal saving{rotation::Guard::conflict, {}, std::nullopt, std::nullopt};
    saving.message = "pool " + record.pool.id + ": its last decision is being saved; try again";
    return tl::unexpected(std::move(saving));
  }
  const auto members = members_of(record, now);
  return rotation::plan(
      {record.pool, record.state, members, record.history, now.wall, freeze_of(record, now.wall)},
      request);
}

void Pools::refresh_if_due(Record& record, Instant now) {
  const bool due = record.republish_at ? *record.republish_at <= now.wall
                                       : rotation::refresh_due(record.pool, record.state, now.wall);
  if (record.refreshing || record.state.active.empty() || !due)
    return;
  const bool busy =
      record.deciding || std::any_of(record.history.begin(), record.history.end(),
                                     [](const auto& row) { return rotation::is_in_progress(row); });
  if (busy) {
    record.republish_at = now.wall + kLookAgain;
    return;
  }
  record.refreshing = true;
  record.republish_at.reset();
  run_step(rotation::refresh(context_of(record, nullptr, now)), now);
}

std::string Pools::start(Record& record, const rotation::Plan& plan, Instant now) {
  if (!plan.supersedes.empty()) {
    for (const model::Rotation& row : record.history) {
      if (row.id == plan.supersedes) {
        const model::Rotation overtaken = row;
        proceed(record,
                rotation::abandon(context_of(record, &overtaken, now), overtaken,
                                  "overtaken by an emergency"),
                now);
        break;
      }
    }
  }
  std::string id = rotation::make_rotation_id(now.wall, parts_.random);
  parts_.log.info("rotation {}: pool {} from {} to {}: {}", id, plan.pool,
                  plan.from.empty() ? "nothing" : plan.from, plan.to, plan.reason);
  model::Rotation row;
  row.from = plan.from;
  row.to = plan.to;
  if (plan.mint)
    clear_slot(record, plan.to, now);
  proceed(record, rotation::begin(context_of(record, &row, now), plan, id), now);
  return id;
}

void Pools::proceed(Record& record, rotation::Transition transition, Instant now) {
  note_steps(record, transition.rotation, now);
  remember(record, transition.rotation);
  parts_.pipeline.next().rotations.push_back(transition.rotation);
  keep_secrets(record, transition, now);
  if (transition.pool) {
    parts_.pipeline.next().pools.push_back(*transition.pool);
    record.deciding = true;
  }
  if (transition.failure) {
    ++record.totals.failures[static_cast<std::size_t>(*transition.failure)];
    store_totals(record);
  }
  if (transition.pool && transition.pool->active == transition.rotation.to) {
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
  Record& record = *find(pool);
  const bool configured = records_.contains(pool);  // else a reload took it away meanwhile
  if (transition.pool) {
    record.state = *transition.pool;
    record.deciding = false;
    record.dirty = true;
    parts_.log.info("pool {}: {} is active, generation {}", pool, record.state.active,
                    record.state.generation);
  }
  // What is refused already need not be waited for.
  for (const model::Credential& credential : transition.credentials) {
    if (look_at_.contains(credential.name))
      look_at_[credential.name] = now.wall;
  }
  if (configured && transition.probe_now)
    parts_.probe_soon(transition.rotation.to, now);
  if (configured && transition.next) {
    if (transition.next->delay > std::chrono::nanoseconds(0))
      delayed_.emplace(now.steady + transition.next->delay, *transition.next);
    else
      run_step(*transition.next, now);
  }
  answer_waiting(record, transition.rotation);
  if (model::is_final(transition.rotation.state) ||
      transition.rotation.state == model::RotationState::retiring)
    settle(record, transition.rotation, now);
  changed_.insert(pool);
}

void Pools::run_step(rotation::StepRequest step, Instant now) {
  using Kind = rotation::StepRequest::Kind;
  if (is_issuers(step.kind)) {
    run_issuer_step(std::move(step), now);
  } else if (step.kind == Kind::verify || step.kind == Kind::confirm ||
             step.kind == Kind::refusal) {
    std::shared_ptr<const Secret> secret;
    if (step.held)
      secret = held_[step.rotation];
    else if (step.kind == Kind::refusal)
      secret = ending_[step.credential];
    parts_.probe(std::move(step), std::move(secret), now);
  } else {
    auto secret = secret_of(step.key);
    parts_.effects.run_step(StepOrder{std::move(step), std::move(secret), setup_->signing_secrets});
  }
}

void Pools::step_finished(const rotation::StepDone& done, Instant now) {
  count_outcomes(done);
  note_failures(done, now);
  using Kind = rotation::StepRequest::Kind;
  if (done.request.kind == Kind::revoke || done.request.kind == Kind::refusal) {
    ending_step_finished(done, now);
    return;
  }
  const auto found = records_.find(done.request.pool);
  if (found == records_.end())
    return;
  Record& record = found->second;
  if (done.request.kind == rotation::StepRequest::Kind::refresh) {
    finish_refresh(record, done, now);
    return;
  }
  if (done.request.kind == rotation::StepRequest::Kind::mint && done.secret)
    held_[done.request.rotation] = done.secret;
  const auto row = std::find_if(record.history.begin(), record.history.end(),
                                [&](const auto& one) { return one.id == done.request.rotation; });
  if (row == record.history.end())
    return;
  const model::Rotation present = *row;
  if (!done.status)
    parts_.log.info("rotation {}: {}", present.id, done.status.error().message);
  if (auto transition = rotation::advance(context_of(record, &present, now), present, done))
    proceed(record, std::move(*transition), now);
}

void Pools::finish_refresh(Record& record, const rotation::StepDone& done, Instant now) {
  const bool written = std::all_of(done.outcomes.begin(), done.outcomes.end(),
                                   [](const auto& outcome) { return outcome.status.has_value(); });
  record.refreshing = false;
  if (done.request.generation != record.state.generation)
    return;  // a rotation came between
  if (!written) {
    record.republish_at = now.wall + kRepublishAfter;
    parts_.log.warn("pool {}: the published decision could not be renewed; it is tried again",
                    record.pool.id);
    return;
  }
  record.state.decided_at = done.request.published_at;
  parts_.pipeline.next().pools.push_back(record.state);
  changed_.insert(record.pool.id);
}

// Every kind from the start, so that Prometheus sees the first one as an increase.
std::map<std::string, std::int64_t> Pools::no_notifications() {
  return {{"file", 0}, {"exec", 0}, {"webhook", 0}, {"alertmanager", 0}, {"alert_webhook", 0}};
}

void Pools::count_notifications(std::string_view target, int good, int failed) {
  notifications_[std::string(target)] += good + failed;
  notification_failures_[std::string(target)] += failed;
}

void Pools::store_totals(const Record& record) {
  parts_.pipeline.next().pool_totals[record.pool.id] = record.totals;
}

}  // namespace keyherd::engine
