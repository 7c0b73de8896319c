#include "engine/engine.hpp"

#include <spdlog/logger.h>

#include <algorithm>

#include "base/time_text.hpp"
#include "engine/retention.hpp"
#include "engine/story.hpp"

namespace keyherd::engine {

namespace {

// The loop looks at the wall clock at least this often: calendars follow it, steady time does not.
constexpr std::chrono::seconds kLongestSleep{5};
constexpr std::chrono::hours kTendEvery{1};
constexpr std::chrono::minutes kTendFirst{1};  // not in the rush of a start
constexpr std::chrono::seconds kTendMore{1};   // commits go in between
constexpr std::chrono::seconds kClockStep{2};
constexpr std::chrono::seconds kHeartbeat{30};
constexpr std::chrono::hours kMinutesKept{24 * 32};

}  // namespace

Engine::Engine(const EngineOptions& options)
    : options_(options),
      audit_(pipeline_, options.effects, options.log,
             [post = options.post](AuditWritten event) { post(std::move(event)); }),
      herd_(pipeline_, options.log),
      probing_(herd_, pipeline_, options.effects, options.random),
      accounting_(herd_, pipeline_, options.effects, options.log),
      pools_(pool_parts()),
      dispensing_(dispensing_parts()),
      drills_({herd_, pools_, pipeline_, options.log,
               [this](const std::string& key, Instant now) { probing_.probe_soon(key, now); }}) {
  herd_.set_witness(
      [this](const model::Evidence& evidence, Instant now) { drills_.observe(evidence, now); });
}

DispensingParts Engine::dispensing_parts() {
  return {[this](const std::string& key, Instant now) { return candidate(key, now); },
          [this](const std::string& key) -> const KeyRecord* { return herd_.find(key); },
          [this](const std::string& pool) {
            const auto active = pools_.active(pool);
            return active ? active->key : std::string();
          }};
}

PoolParts Engine::pool_parts() {
  PoolParts parts{
      pipeline_, options_.effects, options_.random, options_.log, audit_, {}, {}, {}, {}, {}, {},
      {},        nullptr};
  parts.candidates = [this](const model::Pool& pool, Instant now) { return candidates(pool, now); };
  parts.probe = [this](rotation::StepRequest step, std::shared_ptr<const Secret> secret,
                       Instant now) {
    if (probing_.verify(step, std::move(secret), now))
      return;
    rotation::StepDone done;
    done.request = std::move(step);
    done.status = fail(ErrorCode::unavailable, "it has no secret");
    pools_.step_finished(done, now);
  };
  parts.key = [this](const std::string& key) -> const KeyRecord* { return herd_.find(key); };
  parts.adopt = [this](const std::string& key, std::shared_ptr<const Secret> secret,
                       const std::string& why,
                       Instant now) { adopt(key, std::move(secret), why, now); };
  parts.pause = [this](const std::string& key, const std::string& actor, Instant now) {
    herd_.pause(key, actor, now);
  };
  parts.expires = [this](const std::string& key, std::optional<WallTime> at) {
    if (KeyRecord* record = herd_.find(key)) {
      record->secret_expires_at = at;
      herd_.touch(key);
    }
  };
  parts.keyring = options_.keyring;
  parts.probe_soon = [this](const std::string& key, Instant now) { probing_.probe_soon(key, now); };
  return parts;
}

void Engine::take_thresholds() {
  agent_.unaccounted_spend = setup_->config.agent.unaccounted_spend;
  agent_.spend_anomaly_floor = setup_->config.agent.spend_anomaly_floor;
}

// The state is gone when this ends: before views of all that was restored are made.
Status Engine::start(std::shared_ptr<const Setup> setup, store::State state, Instant now) {
  setup_ = std::move(setup);
  options_.published.set(setup_);
  agent_.started_at = now.wall;
  audit_.restore(state, options_.audit, now);
  audit_.note(
      {.act = model::AuditAct::started, .text = "with the configuration " + setup_->config.file},
      now);
  tend_history_at_ = now.steady + kTendFirst;
  take_thresholds();
  agent_.config_loaded_at = now.wall;
  agent_.secret_load_failures = setup_->secret_load_failures;
  KH_TRY(accounting_.configure(*setup_, now));
  herd_.configure(*setup_, now);
  herd_.restore(state, now);
  accounting_.restore(state, now);
  probing_.configure(*setup_, now);
  probing_.restore(state, now);
  pools_.configure(setup_, now);
  dispensing_.configure(setup_);
  pools_.restore(state, now);
  drills_.configure(setup_, now);
  drills_.restore(state, now);
  configure_usage();
  ask_for_history(now);
  return {};
}

void Engine::adopt(const std::string& key, std::shared_ptr<const Secret> secret,
                   const std::string& why, Instant now) {
  if (secret)
    adopted_aliases_["sha256:" + log_alias(*secret)] = key;
  herd_.adopt(key, std::move(secret), why, now);
  probing_.replan(key, now);
  configure_usage();
}

// Lines that name a key by its secret are of whoever has, or had, that secret.
void Engine::configure_usage() {
  auto usage = setup_->usage;
  if (!adopted_aliases_.empty()) {
    auto more = std::make_shared<model::UsageContext>(*setup_->usage);
    for (const auto& [alias, key] : adopted_aliases_) {
      if (const auto entry = more->keys.find(key); entry != more->keys.end())
        more->keys[alias] = entry->second;
    }
    usage = std::move(more);
  }
  auto logs = setup_->config.usage_logs;
  logs.push_back(model::make_reports_log());
  options_.effects.configure_usage(std::move(logs), std::move(usage));
}

Status Engine::reconfigure(std::shared_ptr<const Setup> setup, Instant now) {
  KH_TRY(accounting_.configure(*setup, now));
  setup_ = std::move(setup);
  options_.published.set(setup_);
  herd_.configure(*setup_, now);
  probing_.configure(*setup_, now);
  pools_.configure(setup_, now);
  dispensing_.configure(setup_);
  drills_.configure(setup_, now);
  for (const auto& [kind, count] : setup_->secret_load_failures)
    agent_.secret_load_failures[kind] += count;
  take_thresholds();
  agent_.config_reload_ok = true;
  agent_.config_error.clear();
  agent_.config_loaded_at = now.wall;
  const auto forget_absent = [](auto& views, const auto& present) {
    std::erase_if(views, [&](const auto& view) { return !present.contains(view.first); });
  };
  key_views_.erase_if(
      [&](const model::KeyView& view) { return herd_.find(view.key.id) == nullptr; });
  forget_absent(provider_views_, herd_.providers());
  forget_absent(source_views_, accounting_.sources());
  std::erase_if(pool_views_, [&](const auto& view) {
    return std::none_of(setup_->config.pools.begin(), setup_->config.pools.end(),
                        [&](const model::Pool& pool) { return pool.id == view.first; });
  });
  configure_usage();
  ask_for_history(now);
  changed_ = true;
  published_at_.reset();  // with the next step: whoever asked for it looks at once
  return {};
}

void Engine::reload_failed(const std::string& why) {
  agent_.config_reload_ok = false;
  agent_.config_error = why;
  changed_ = true;
}

void Engine::count_notifications(std::string_view target, int good, int failed) {
  pools_.count_notifications(target, good, failed);
  changed_ = true;
}

namespace {

void load_rows(store::Store& store, const quota::HistoryNeed& need,
               std::vector<model::UsageRow>& usage, std::vector<model::MinuteRow>& minutes) {
  if (need.usage_from) {
    if (auto rows = store.usage({need.usage_from, std::nullopt, need.keys}))
      usage = std::move(*rows);
  }
  if (need.minutes_from) {
    if (auto rows = store.minutes({need.minutes_from, std::nullopt, need.keys}))
      minutes = std::move(*rows);
  }
}

HistoryLoaded load_history(store::Store& store, const quota::HistoryNeed& windows,
                           const quota::HistoryNeed& burn, const std::optional<DrainNeed>& drains) {
  HistoryLoaded history;
  load_rows(store, windows, history.usage, history.minutes);
  load_rows(store, burn, history.burn_usage, history.burn_minutes);
  if (!drains)
    return history;
  if (auto rows = store.balance_drops({drains->drops_from, std::nullopt, drains->keys}))
    history.drops = std::move(*rows);
  WallTime from = drains->usage_from;
  for (const model::BalanceDrop& drop : history.drops)
    from = std::min(from, drop.since - model::kBucketWidth);
  if (auto rows = store.usage({std::max(from, drains->earliest), std::nullopt, drains->keys}))
    history.drain_usage = std::move(*rows);
  return history;
}

}  // namespace

// Windows of new quotas, and the watch over balances, start with what the history knows; no line is
// counted in between.
void Engine::ask_for_history(Instant now) {
  const quota::HistoryNeed windows = accounting_.history_needed(now);
  const quota::HistoryNeed burn = accounting_.burn_needed(now);
  const std::optional<DrainNeed> drains = accounting_.drains_needed(now);
  if (windows.empty() && burn.empty() && !drains)
    return;
  accounting_.expect_seed();
  options_.effects.with_store([windows, burn, drains, post = options_.post](store::Store& store) {
    post(load_history(store, windows, burn, drains));
  });
}

void Engine::handle(Event event, Instant now) {
  notice_clock(now);  // before the event is told at a time of the new clock
  std::visit([&](auto& what) { on(std::move(what), now); }, event);
}

void Engine::on(ProbeFinished event, Instant now) {
  if (event.cancelled) {
    probing_.cancelled(event.order, now);
    return;
  }
  const auto step = probing_.finished(event.order, event.evidence, now);
  // A secret that is not yet the key's, or no more, says nothing about the key.
  if (!step || (!step->request.held && step->request.kind != rotation::StepRequest::Kind::refusal))
    herd_.observe(event.evidence, now);
  if (step)
    pools_.step_finished(*step, now);
  changed_ = true;
}

void Engine::on(TallyArrived event, Instant) {
  accounting_.add(std::move(event.tally));
}

void Engine::on(Committed event, Instant now) {
  const bool was_well = pipeline_.problem().empty();
  pipeline_.finish(event.outcome, now);
  if (was_well && !pipeline_.problem().empty())
    options_.log.error("the state cannot be saved, nothing is counted until it can: {}",
                       pipeline_.problem());
  if (!was_well && pipeline_.problem().empty())
    options_.log.info("the state is saved again");
  changed_ = true;
}

void Engine::on(StepFinished event, Instant now) {
  pools_.step_finished(event.done, now);
}

void Engine::on(HistoryLoaded event, Instant) {
  accounting_.seed_burn(event.burn_usage, event.burn_minutes);
  accounting_.seed_drains(event.drain_usage, event.drops);
  accounting_.seed(std::move(event.usage), std::move(event.minutes));
}

void Engine::on(HistoryTended event, Instant now) {
  if (!event.more)
    options_.log.warn("old history stays as it is for now: {}", event.more.error().message);
  if (event.more && *event.more)
    tend_history_at_ = now.steady + kTendMore;
}

void Engine::on(const AuditWritten& event, Instant now) {
  audit_.written(event, now);
  changed_ = true;
}

void Engine::on(Call event, Instant now) {
  event.run(*this, now);
  options_.effects.notify_readers();
}

Result<model::KeyHealth> Engine::pause(const std::string& key, const std::string& actor,
                                       Instant now) {
  if (herd_.find(key) == nullptr)
    return fail(ErrorCode::not_found, "no key '" + key + "'");
  herd_.pause(key, actor, now);
  audit_.note({.actor = actor, .act = model::AuditAct::paused, .key = key}, now);
  return *herd_.tracker().health(key);
}

Result<model::KeyHealth> Engine::resume(const std::string& key, const std::string& actor,
                                        Instant now) {
  if (herd_.find(key) == nullptr)
    return fail(ErrorCode::not_found, "no key '" + key + "'");
  herd_.resume(key, actor, now);
  audit_.note({.actor = actor, .act = model::AuditAct::resumed, .key = key}, now);
  probing_.probe_soon(key, now);
  return *herd_.tracker().health(key);
}

Promise<model::Evidence> Engine::probe(const std::string& key, const std::string& actor,
                                       Instant now) {
  if (herd_.find(key) != nullptr)
    audit_.note({.actor = actor, .act = model::AuditAct::probed, .key = key}, now);
  return probing_.ask(key, now);
}

Promise<model::KeyStory> Engine::explain(const std::string& key, WallTime at, Instant now) {
  Promise<model::KeyStory> promise;
  if (herd_.find(key) == nullptr) {
    promise.set(fail(ErrorCode::not_found, "no key '" + key + "'"));
    return promise;
  }
  herd_.store_evidence(key);
  const auto ask = [this, promise, key, at](Instant) {
    options_.effects.with_store(
        [promise, key, at, &effects = options_.effects](store::Store& store) {
          promise.set(tell_story(store, key, at));
          effects.notify_readers();
        });
  };
  if (pipeline_.problem().empty())
    pipeline_.then(ask);
  else
    ask(now);
  return promise;
}

std::map<std::string, std::shared_ptr<const Secret>> Engine::secrets() const {
  std::map<std::string, std::shared_ptr<const Secret>> secrets;
  for (const auto& [id, record] : herd_.records()) {
    if (record.secret.secret)
      secrets.emplace(id, record.secret.secret);
  }
  return secrets;
}

Promise<bool> Engine::seal(const std::vector<std::pair<std::string, Secret>>& secrets,
                           Instant now) {
  for (const auto& [entry, secret] : secrets) {
    pipeline_.next().sealed.push_back(options_.keyring->put(entry, secret, now.wall));
    herd_.forget_adopted(entry);
  }
  Promise<bool> saved;
  pipeline_.then([saved](Instant) { saved.set(true); });
  return saved;
}

void Engine::begin_dispensing(const std::string& pool, Instant now) {
  dispensing_.begin(pool, now);
  publish(now);
}

SteadyTime Engine::step(Instant now) {
  notice_clock(now);
  herd_.tick(now);
  drills_.run(now);
  settle_touched(now);
  pools_.run(now);
  const std::int64_t in_flight = probing_.in_flight();
  probing_.run(now);
  changed_ = changed_ || probing_.in_flight() != in_flight;
  commit_if_due(now);
  audit_.run(now);
  // An in-thread store has committed by now; its consequences belong to this step.
  settle_touched(now);
  tend_history_if_due(now);
  publish_if_due(now);
  tell_waiting();
  return next_deadline(now);
}

void Engine::settle_touched(Instant now) {
  Herd::Touched touched = herd_.take_touched();
  for (const std::string& key : touched.keys) {
    probing_.replan(key, now);
    tell_pools(key);
    changed_ = true;
  }
  accounting_.add(touched.drops);
  stale_views_.merge(touched.keys);
  for (const std::string& key : touched.probe_soon)
    probing_.probe_soon(key, now);
  for (const std::string& id : touched.providers) {
    const auto record = herd_.providers().find(id);
    if (record != herd_.providers().end()) {
      note_incident(record->second, now);
      provider_views_[id] = provider_view(record->second);
    }
    changed_ = true;
  }
}

void Engine::note_incident(const ProviderRecord& record, Instant now) {
  const auto before = provider_views_.find(record.provider->id);
  const bool was_up = before == provider_views_.end() || before->second->up;
  const bool up = !record.incident.has_value();
  if (up == was_up)
    return;
  audit_.note({.act = up ? model::AuditAct::incident_over : model::AuditAct::incident,
               .provider = record.provider->id,
               .text = up ? "its answers count again"
                          : record.incident->why + "; no key of it is condemned meanwhile"},
              now);
}

void Engine::tell_pools(const std::string& key) {
  KeyRecord* record = herd_.find(key);
  const model::KeyHealth* health = herd_.tracker().health(key);
  if (record == nullptr || health == nullptr)
    return;
  const KeyStanding standing{health->state, health->verdict, record->verified,
                             herd_.providers().at(record->key.provider).incident.has_value()};
  if (record->told == standing) {
    pools_.key_used(key);
  } else {
    record->told = standing;
    pools_.key_changed(key);
  }
}

void Engine::commit_if_due(Instant now) {
  if (pipeline_.in_flight())
    return;
  if (pipeline_.starts_fresh() && accounting_.has_work(now))
    accounting_.fill(now);
  // Even an idle agent shows that its state can be saved.
  if (now.wall - pipeline_.last_success().value_or(now.wall - kHeartbeat) >= kHeartbeat)
    pipeline_.next().settings["saved_at"] = format_rfc3339(now.wall);
  if (!pipeline_.can_start(now))
    return;
  options_.effects.with_store(
      [batch = pipeline_.start(), post = options_.post](store::Store& store) {
        post(Committed{batch->empty() ? Status{} : store.commit(*batch)});
      });
}

void Engine::tend_history_if_due(Instant now) {
  if (now.steady < tend_history_at_)
    return;
  tend_history_at_ = now.steady + kTendEvery;
  options_.effects.with_store(
      [settings = setup_->config.agent, now, post = options_.post](store::Store& store) {
        post(HistoryTended{tend_history(store, settings, kMinutesKept, now.wall)});
      });
}

void Engine::notice_clock(Instant now) {
  if (last_look_) {
    const auto wall = now.wall - last_look_->wall;
    const auto steady = now.steady - last_look_->steady;
    const auto apart = wall > steady ? wall - steady : steady - wall;
    if (apart > kClockStep) {
      ++agent_.clock_steps;
      options_.log.warn("the system clock moved by {} against the time that passed",
                        describe_duration(apart));
      drills_.clock_stepped(wall - steady);
      changed_ = true;
    }
  }
  last_look_ = now;
}

SteadyTime Engine::next_deadline(Instant now) const {
  SteadyTime deadline = now.steady + kLongestSleep;
  const auto sooner = [&](std::optional<SteadyTime> time) {
    if (time)
      deadline = std::min(deadline, *time);
  };
  sooner(herd_.tracker().next_deadline());
  sooner(probing_.next_due());
  sooner(pools_.next_due(now));
  sooner(drills_.next_due(now));
  sooner(pipeline_.retry_at());
  sooner(audit_.next_due());
  sooner(tend_history_at_);
  if (!pipeline_.in_flight() && pipeline_.starts_fresh() &&
      (pipeline_.has_work() || accounting_.has_work(now)))
    sooner(now.steady);
  if (const auto roll = accounting_.next_roll(now.wall))
    sooner(now.steady + (*roll - now.wall));
  if (changed_ && published_at_)
    sooner(*published_at_ + std::chrono::milliseconds(50));
  return std::max(deadline, now.steady);
}

}  // namespace keyherd::engine
