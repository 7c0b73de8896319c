#include "api/views.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/time_text.hpp"

namespace keyherd::api {

using nlohmann::json;

namespace {

json time_json(const std::optional<WallTime>& time) {
  return time ? json(format_rfc3339(*time)) : json(nullptr);
}

json quota_json(const model::QuotaStatus& quota) {
  const bool money = quota.unit == model::QuotaUnit::usd;
  const auto amount = [&](std::int64_t value) {
    return money ? json(model::to_usd(value)) : json(value);
  };
  return {{"id", quota.quota},
          {"owner", quota.owner},
          {"unit", model::to_string(quota.unit)},
          {"used", amount(quota.used)},
          {"limit", amount(quota.limit)},
          {"ratio", quota.ratio()},
          {"level", quota.level},
          {"thresholds", quota.thresholds},
          {"resets_at", time_json(quota.resets_at)},
          {"burn_per_hour", amount(model::per_hour(quota.burn))},
          {"exhausted_at", time_json(quota.exhausted_at)},
          {"exhausts_before_reset", quota.exhausts_before_reset}};
}

json quotas_json(const std::vector<model::QuotaStatus>& quotas) {
  json list = json::array();
  for (const auto& quota : quotas)
    list.push_back(quota_json(quota));
  return list;
}

json provider_json(const model::ProviderView& view) {
  return {{"id", view.provider.id},
          {"type", view.provider.type},
          {"base_url", view.provider.base_url},
          {"up", view.up},
          {"incident", view.incident},
          {"incident_since", time_json(view.incident_since)}};
}

json suspects_json(const model::SuspectCounts& counts) {
  json list = json::object();
  for (std::size_t i = 0; i < counts.size(); ++i)
    list[std::string(model::to_string(static_cast<model::Suspicion>(i)))] = counts[i];
  return list;
}

json source_json(const model::SourceView& view) {
  json rejected = json::object();
  for (std::size_t i = 0; i < model::kRejectReasonCount; ++i)
    rejected[std::string(model::to_string(static_cast<model::RejectReason>(i)))] =
        view.counts.rejected[i];
  return {{"id", view.log.id},
          {"path", view.log.path},
          {"up", view.status.up},
          {"problem", view.status.problem},
          {"files", view.status.files},
          {"lag_bytes", view.status.lag_bytes},
          {"records", view.counts.records},
          {"rejected", rejected},
          {"suspect", suspects_json(view.counts.suspect)},
          {"future", view.counts.future},
          {"late", view.counts.late},
          {"samples", view.samples},
          {"last_record_at", time_json(view.status.last_record_at)}};
}

json agent_json(const model::AgentView& agent) {
  return {{"started_at", format_rfc3339(agent.started_at)},
          {"ready", agent.ready},
          {"not_ready_because", agent.not_ready_because},
          {"config_loaded_at", format_rfc3339(agent.config_loaded_at)},
          {"config_reload_ok", agent.config_reload_ok},
          {"config_error", agent.config_error}};
}

json counts_json(const model::UsageCounts& counts) {
  const auto per_thousand = model::cost_per_thousand(counts);
  return {{"requests", counts.requests},
          {"failed_requests", counts.failed},
          {"input_tokens", counts.input},
          {"cached_input_tokens", counts.cached_input},
          {"output_tokens", counts.output},
          {"cost_usd", model::to_usd(counts.cost)},
          {"table_cost_usd", model::to_usd(counts.table_cost)},
          {"cost_per_1000_usd", per_thousand ? json(model::to_usd(*per_thousand)) : json(nullptr)},
          {"unpriced_requests", counts.unpriced}};
}

json balances_json(const std::vector<model::Balance>& balances) {
  json list = json::array();
  for (const auto& balance : balances)
    list.push_back({{"currency", balance.currency}, {"amount", model::format_usd(balance.nanos)}});
  return list;
}

json usage_totals_json(const model::KeyView& view) {
  model::UsageCounts total;
  json models = json::object();
  for (const auto& [name, counts] : view.usage_by_model) {
    total.add(counts);
    models[name] = counts_json(counts);
  }
  json result = counts_json(total);
  result["models"] = std::move(models);
  return result;
}

}  // namespace

json health_json(const model::KeyHealth& health) {
  return {{"id", health.key},
          {"state", model::to_string(health.state)},
          {"verdict", health.has_verdict ? json(model::to_string(health.verdict)) : json(nullptr)},
          {"since", format_rfc3339(health.since)},
          {"why", health.why},
          {"cooldown_until", time_json(health.cooldown_until)}};
}

json key_json(const model::KeyView& view) {
  json result = health_json(view.health);
  result["id"] = view.key.id;
  result["provider"] = view.key.provider;
  result["limit_group"] = view.key.limit_group;
  result["priority"] = view.key.priority;
  result["labels"] = view.key.labels;
  result["fingerprint"] = view.fingerprint;
  result["in_drill"] = view.in_drill;
  result["secret"] = view.key.secret.text;
  result["secret_loaded"] = view.secret_loaded;
  result["expires_at"] = time_json(view.key.expires_at);
  result["last_success_at"] = time_json(view.health.last_success_at);
  result["last_probe_at"] = time_json(view.health.last_probe_at);
  result["latency_ms"] =
      view.last_probe ? json(view.last_probe->latency.count() / 1'000'000) : json(nullptr);
  result["seems_to_share_account_with"] = view.shares_account_with;
  result["quotas"] = quotas_json(view.quotas);
  result["usage"] = usage_totals_json(view);
  result["suspect_records"] = suspects_json(view.suspects);
  result["trust"] = view.trust ? json(*view.trust) : json(nullptr);
  result["balances"] = balances_json(view.balances);
  for (json& balance : result["balances"]) {
    const auto gone = view.balances_gone_at.find(balance["currency"].get<std::string>());
    balance["gone_at"] =
        gone == view.balances_gone_at.end() ? json(nullptr) : time_json(gone->second);
  }
  return result;
}

json evidence_json(const model::Evidence& evidence) {
  return {{"key", evidence.key},
          {"at", format_rfc3339(evidence.at)},
          {"source", model::to_string(evidence.source)},
          {"verdict", model::to_string(evidence.verdict)},
          {"probe", evidence.probe ? json(model::to_string(*evidence.probe)) : json(nullptr)},
          {"http_status", evidence.http_status},
          {"latency_ms", evidence.latency.count() / 1'000'000},
          {"count", evidence.count},
          {"message", evidence.message},
          {"retry_at", time_json(evidence.retry_at)}};
}

json story_json(const model::KeyStory& story) {
  json evidence = json::array();
  for (const auto& item : story.evidence)
    evidence.push_back(evidence_json(item));
  json changes = json::array();
  for (const auto& change : story.changes)
    changes.push_back({{"at", format_rfc3339(change.at)},
                       {"from", model::to_string(change.from)},
                       {"to", model::to_string(change.to)},
                       {"verdict", model::to_string(change.verdict)},
                       {"why", change.why}});
  return {{"id", story.key},
          {"at", format_rfc3339(story.at)},
          {"state", model::to_string(story.state)},
          {"verdict", story.verdict ? json(model::to_string(*story.verdict)) : json(nullptr)},
          {"since", time_json(story.since)},
          {"why", story.why},
          {"evidence", std::move(evidence)},
          {"changes", std::move(changes)}};
}

json explain_json(const model::Snapshot& snapshot, const model::KeyView& view,
                  const model::KeyStory& story) {
  json result = story_json(story);
  // The present belief is the newest, whatever is stored of it.
  result.update(key_json(view));
  result["incident"] = nullptr;
  for (const auto& provider : snapshot.providers) {
    if (provider->provider.id == view.key.provider && !provider->up)
      result["incident"] = provider->incident;
  }
  return result;
}

json freeze_json(const std::optional<model::Freeze>& freeze) {
  if (!freeze)
    return nullptr;
  return {{"by", freeze->by_hand ? freeze->actor : "window"},
          {"until", time_json(freeze->until)},
          {"reason", freeze->reason}};
}

json pool_json(const model::PoolView& view) {
  json published = json::array();
  for (const auto& target : view.pool.publish)
    published.push_back(model::describe(target));
  return {{"id", view.pool.id},
          {"strategy", model::to_string(view.pool.strategy)},
          {"keys", view.pool.keys},
          {"active", view.state.active.empty() ? json(nullptr) : json(view.state.active)},
          {"generation", view.state.generation},
          {"available", view.available},
          {"survives_key_loss", view.survives_key_loss},
          {"exhausted_at", time_json(view.exhausted_at)},
          {"next_rotation_at", time_json(view.next_rotation_at)},
          {"freeze", freeze_json(view.freeze)},
          {"drill", view.drill && !view.drill->ended_at ? drill_json(*view.drill) : json(nullptr)},
          {"decided_at",
           view.state.active.empty() ? json(nullptr) : json(format_rfc3339(view.state.decided_at))},
          {"publish", std::move(published)},
          {"problem", view.problem}};
}

json drill_json(const model::Drill& drill) {
  const auto after = [&](const std::optional<WallTime>& time) {
    return time ? json(std::chrono::duration<double>(*time - drill.started_at).count())
                : json(nullptr);
  };
  const bool is_over = drill.ended_at.has_value();
  const model::Grade grade = model::grade_of(drill);
  return {{"pool", drill.pool},
          {"key", drill.key},
          {"actor", drill.actor},
          {"started_at", format_rfc3339(drill.started_at)},
          {"until", format_rfc3339(drill.until)},
          {"ended_at", time_json(drill.ended_at)},
          {"seconds",
           {{"detection", after(drill.detected_at)},
            {"switch", after(drill.switched_at)},
            {"publication", after(drill.published_at)},
            {"adoption", after(drill.adopted_at)}}},
          {"watched", drill.watched},
          {"replaced_by", drill.replaced_by.empty() ? json(nullptr) : json(drill.replaced_by)},
          {"grade", is_over ? json(model::to_string(grade)) : json(nullptr)},
          {"meaning", is_over ? json(model::meaning_of(drill)) : json(nullptr)},
          {"note", drill.note}};
}

json rotation_json(const model::Rotation& rotation) {
  json steps = json::array();
  for (const auto& step : rotation.steps)
    steps.push_back({{"state", model::to_string(step.state)},
                     {"at", format_rfc3339(step.at)},
                     {"note", step.note}});
  return {{"rotation", rotation.id},
          {"pool", rotation.pool},
          {"from", rotation.from.empty() ? json(nullptr) : json(rotation.from)},
          {"to", rotation.to.empty() ? json(nullptr) : json(rotation.to)},
          {"state", model::to_string(rotation.state)},
          {"generation", rotation.generation},
          {"trigger", model::to_string(rotation.trigger)},
          {"reason", rotation.reason},
          {"actor", rotation.actor},
          {"started_at", format_rfc3339(rotation.started_at)},
          {"steps", std::move(steps)}};
}

json active_json(const ActiveKey& active) {
  return {{"pool", active.pool},
          {"key", active.key},
          {"secret", std::string(active.secret->reveal())},
          {"generation", active.generation},
          {"published_at", format_rfc3339(active.published_at)},
          {"valid_until", format_rfc3339(active.valid_until)}};
}

json handed_out_json(const std::string& pool, const HandedOut& out) {
  return {{"pool", pool},
          {"key", out.key},
          {"secret", std::string(out.secret->reveal())},
          {"provider", out.provider->id},
          {"type", out.provider->type},
          {"base_url", out.provider->base_url}};
}

json firing_json(const Firing& firing) {
  return {
      {"schedule", firing.schedule}, {"at", format_rfc3339(firing.at)}, {"local", firing.local}};
}

json drains_json(const std::vector<model::WalletDrain>& drains) {
  json list = json::array();
  for (const model::WalletDrain& drain : drains) {
    list.push_back({{"owner", drain.owner},
                    {"provider", drain.provider},
                    {"keys", drain.keys},
                    {"from", format_rfc3339(drain.from)},
                    {"to", format_rfc3339(drain.to)},
                    {"balance_drops", balances_json(drain.dropped)},
                    {"explained_usd", model::to_usd(drain.explained)},
                    {"unpriced_requests", drain.unpriced},
                    {"unaccounted_usd",
                     drain.unaccounted ? json(model::to_usd(*drain.unaccounted)) : json(nullptr)},
                    {"silent", drain.silent}});
  }
  return list;
}

json import_json(const ImportReport& report) {
  json changed = json::array();
  for (const auto& [key, fields] : report.changed)
    changed.push_back({{"key", key}, {"fields", fields}});
  return {{"added", report.added},
          {"changed", std::move(changed)},
          {"unchanged", report.unchanged},
          {"secrets", report.secrets},
          {"dry_run", report.dry_run}};
}

json delivery_json(const DeliveryReport& report) {
  json rejected = json::object();
  std::int64_t lines = report.counts.records + report.counts.skipped;
  for (std::size_t i = 0; i < model::kRejectReasonCount; ++i) {
    lines += report.counts.rejected[i];
    if (report.counts.rejected[i] > 0)
      rejected[std::string(model::to_string(static_cast<model::RejectReason>(i)))] =
          report.counts.rejected[i];
  }
  return {{"log", report.log},
          {"lines", lines},
          {"counted", report.counts.records},
          {"skipped", report.counts.skipped},
          {"rejected", rejected},
          {"samples", report.samples}};
}

json error_json(std::string_view code, std::string_view message) {
  return {{"error", {{"code", code}, {"message", message}}}};
}

bool may_see_key(const model::Snapshot& snapshot, const Principal& principal,
                 std::string_view key) {
  if (principal.pools.empty())
    return true;
  return std::any_of(principal.pools.begin(), principal.pools.end(), [&](const std::string& id) {
    const model::PoolView* pool = model::find_pool(snapshot, id);
    return pool != nullptr &&
           std::find(pool->pool.keys.begin(), pool->pool.keys.end(), key) != pool->pool.keys.end();
  });
}

std::vector<model::WalletDrain> visible_drains(const model::Snapshot& snapshot,
                                               const Principal& principal,
                                               std::vector<model::WalletDrain> drains) {
  std::erase_if(drains, [&](const model::WalletDrain& drain) {
    return !std::all_of(drain.keys.begin(), drain.keys.end(), [&](const std::string& key) {
      return may_see_key(snapshot, principal, key);
    });
  });
  return drains;
}

namespace {

// The quotas of groups of which the principal may see a key.
std::vector<model::QuotaStatus> visible_group_quotas(const model::Snapshot& snapshot,
                                                     const Principal& principal) {
  std::set<std::string> groups;
  for (const auto& view : snapshot.keys)
    if (may_see_key(snapshot, principal, view->key.id))
      groups.insert("group:" + view->key.limit_group);
  std::vector<model::QuotaStatus> visible;
  for (const model::QuotaStatus& quota : snapshot.group_quotas)
    if (groups.contains(quota.owner))
      visible.push_back(quota);
  return visible;
}

}  // namespace

json keys_json(const model::Snapshot& snapshot, const Principal& principal) {
  json keys = json::array();
  for (const auto& view : snapshot.keys) {
    if (may_see_key(snapshot, principal, view->key.id))
      keys.push_back(key_json(*view));
  }
  return keys;
}

json pools_json(const model::Snapshot& snapshot, const Principal& principal) {
  json pools = json::array();
  for (const auto& view : snapshot.pools) {
    if (principal.may_see_pool(view->pool.id))
      pools.push_back(pool_json(*view));
  }
  return pools;
}

json status_json(const model::Snapshot& snapshot, const Principal& principal) {
  json providers = json::array();
  for (const auto& view : snapshot.providers)
    providers.push_back(provider_json(*view));
  json sources = json::array();
  for (const auto& view : snapshot.sources)
    sources.push_back(source_json(*view));
  return {{"at", format_rfc3339(snapshot.at)},
          {"keys", keys_json(snapshot, principal)},
          {"pools", pools_json(snapshot, principal)},
          {"providers", std::move(providers)},
          {"sources", std::move(sources)},
          {"group_quotas", quotas_json(visible_group_quotas(snapshot, principal))},
          {"drains", drains_json(visible_drains(snapshot, principal, snapshot.drains))},
          {"agent", agent_json(snapshot.agent)}};
}

}  // namespace keyherd::api
