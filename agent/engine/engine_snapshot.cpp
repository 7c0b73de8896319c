// The engine's outward face: views rebuilt where something changed, published as one Snapshot.

#include <algorithm>

#include "engine/engine.hpp"

namespace keyherd::engine {

namespace {
// Changes this close together are published as one.
constexpr std::chrono::milliseconds kPublishEvery{50};
// Whether a pool gets through to its resets changes slowly.
constexpr std::chrono::seconds kForecastEvery{30};

template <class View>
std::vector<std::shared_ptr<const View>> in_order(
    const std::map<std::string, std::shared_ptr<const View>>& views) {
  std::vector<std::shared_ptr<const View>> list;
  list.reserve(views.size());
  for (const auto& [id, view] : views)
    list.push_back(view);
  return list;
}
}  // namespace

void Engine::publish_if_due(Instant now) {
  auto pools = pools_.take_changed();
  const bool decided = !pools.empty();
  if (!forecast_at_ || now.steady - *forecast_at_ >= kForecastEvery) {
    forecast_at_ = now.steady;
    for (const model::Pool& pool : setup_->config.pools)
      pools.insert(pool.id);
    changed_ = true;
  }
  refresh_pool_views(pools, now);
  dispensing_.refresh(pools, {}, now);
  for (const std::string& id : accounting_.take_changed()) {
    // Nobody who reports nothing wants to see it.
    if (id == model::kReportsLog && accounting_.source(id).counts == model::SourceCounts{})
      continue;
    if (accounting_.sources().contains(id))
      source_views_[id] = std::make_shared<const model::SourceView>(accounting_.source(id));
    changed_ = true;
  }
  // A pool's decision is what consumers wait for: it goes out at once.
  if (decided || !published_at_ || (changed_ && now.steady - *published_at_ >= kPublishEvery))
    publish(now);
}

void Engine::tell_once_published(std::function<void()> tell) {
  waiting_.push_back(std::move(tell));
  published_at_.reset();  // with the next step
}

void Engine::tell_waiting() {
  if (waiting_.empty())
    return;
  for (const auto& tell : std::exchange(waiting_, {}))
    tell();
  options_.effects.notify_readers();
}

void Engine::refresh_pool_views(const std::set<std::string>& pools, Instant now) {
  if (pools.empty())
    return;
  auto active = std::make_shared<ActiveKeys>();
  for (const model::Pool& pool : setup_->config.pools) {
    if (pools.contains(pool.id)) {
      auto view = std::make_shared<model::PoolView>(pools_.view(pool.id, now));
      if (drills_.drill() && drills_.drill()->pool == pool.id)
        view->drill = drills_.drill();
      pool_views_[pool.id] = std::move(view);
    }
    if (auto key = pools_.active(pool.id))
      active->emplace(pool.id, std::move(*key));
  }
  active_ = std::move(active);
}

void Engine::refresh_key_views(Instant now) {
  std::vector<model::KeyViews::value_type> changed;
  changed.reserve(stale_views_.size());
  for (const std::string& key : std::exchange(stale_views_, {})) {
    if (const KeyRecord* record = herd_.find(key))
      changed.push_back(key_view(*record, now));
  }
  key_views_.update(changed);
}

void Engine::publish(Instant now) {
  dispensing_.refresh({}, stale_views_, now);
  refresh_key_views(now);
  auto snapshot = std::make_shared<model::Snapshot>();
  snapshot->at = now.wall;
  snapshot->version = ++version_;
  snapshot->keys = key_views_;
  snapshot->pools = in_order(pool_views_);
  snapshot->providers = in_order(provider_views_);
  snapshot->sources = in_order(source_views_);
  snapshot->group_quotas = accounting_.group_status(now.wall);
  snapshot->drains = accounting_.drains(now);
  snapshot->rotations = pools_.recent_rotations();
  snapshot->agent = agent_view(now);
  options_.published.set(std::move(snapshot), active_, dispensing_.tables());
  published_at_ = now.steady;
  changed_ = false;
  options_.effects.notify_readers();
}

std::shared_ptr<const model::KeyView> Engine::key_view(const KeyRecord& record, Instant now) const {
  auto view = std::make_shared<model::KeyView>();
  view->key = record.key;
  if (view->key.limit_group.empty())
    view->key.limit_group = record.key.id;
  view->key.expires_at = record.expires_at();
  view->fingerprint = record.secret.fingerprint;
  view->secret_loaded = record.secret.secret != nullptr;
  view->in_drill = drills_.concerns(record.key.id);
  if (const model::KeyHealth* health = herd_.tracker().health(record.key.id))
    view->health = *health;
  view->shares_account_with = record.shares_account_with;
  if (!view->secret_loaded)
    view->health.why = record.secret.problem;
  view->last_probe = record.last_probe;
  // A paused key is not probed: it has no interval.
  if (const auto plan = herd_.tracker().next_probe(record.key.id, now))
    view->probe_interval = std::max(probing_.interval(record.key.id), plan->interval);
  view->probes = record.probes;
  view->usage_by_model = record.usage_by_model;
  view->usage_failures = record.usage_failures;
  view->suspects = record.suspects;
  view->trust = accounting_.trust(record, now.wall);
  view->last_used_at = record.last_used_at;
  view->quotas = accounting_.status_of(record.key.id, now.wall);
  view->balances = record.balances;
  view->balances_at = record.balances_at;
  for (const auto& [currency, balance] : record.wallet) {
    view->wallet.push_back(balance);
    if (const auto gone = accounting_.gone_at(balance, now.wall))
      view->balances_gone_at[currency] = *gone;
  }
  view->rate_limits = record.rate_limits;
  view->rate_limits_at = record.rate_limits_at;
  return view;
}

std::shared_ptr<const model::ProviderView> Engine::provider_view(
    const ProviderRecord& record) const {
  auto view = std::make_shared<model::ProviderView>();
  view->provider = *record.provider;
  view->up = !record.incident.has_value();
  if (record.incident) {
    view->incident = record.incident->why;
    view->incident_since = record.incident->since;
  }
  view->durations = record.durations;
  view->authenticates = probing_.control().authenticates(record.provider->id);
  return view;
}

model::AgentView Engine::agent_view(Instant now) {
  model::AgentView view = agent_;
  view.last_commit_at = pipeline_.last_success();
  view.commit_failures = pipeline_.failures();
  view.ready = pipeline_.problem().empty();
  if (!view.ready)
    view.not_ready_because = "the state cannot be saved: " + pipeline_.problem();
  view.probes_in_flight = probing_.in_flight();
  view.probe_queue = probing_.waiting();
  view.schedule_delay = probing_.delays();
  view.probes_skipped = probing_.skipped();
  view.probe_budget_used = probing_.budget().used_ratio(now.wall);
  view.rotation_duration = pools_.durations();
  view.notifications = pools_.notifications();
  view.notification_failures = pools_.notification_failures();
  if (options_.audit) {
    const AuditTrail::Counts counts = audit_.counts();
    view.audit = model::AuditView{counts.entries, counts.waiting, counts.failures, counts.dropped};
  }
  return view;
}

}  // namespace keyherd::engine
