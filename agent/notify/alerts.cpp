#include "notify/alerts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>

#include "base/time_text.hpp"

namespace keyherd::notify {

namespace {

using model::KeyState;
using model::KeyView;
using model::PoolView;
using model::Severity;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::array kRules = std::to_array<AlertRule>({
    {"KeyherdPoolExhausted", Severity::critical, minutes(1), "A pool has no usable key."},
    {"KeyherdPoolBelowMinimum", Severity::warning, minutes(5),
     "A pool has fewer usable keys than it should."},
    {"KeyherdPoolNoRedundancy", Severity::warning, minutes(15),
     "A pool would not survive the loss of one key."},
    {"KeyherdDecisionStale", Severity::critical, minutes(1),
     "A pool's published decision is older than it is valid."},
    {"KeyherdScheduleOverdue", Severity::warning, minutes(2),
     "A scheduled rotation did not start."},
    {"KeyherdKeyRejected", Severity::warning, minutes(1), "A provider rejects an API key."},
    {"KeyherdKeyDown", Severity::warning, minutes(15), "A key cannot serve requests."},
    {"KeyherdEndpointDown", Severity::critical, minutes(5), "A provider's endpoint is down."},
    {"KeyherdProbeStale", Severity::warning, minutes(2), "A key is no longer probed."},
    {"KeyherdKeyExpiring", Severity::warning, minutes(10), "A key expires soon."},
    {"KeyherdKeyExpiring", Severity::critical, minutes(10), "A key expires soon."},
    {"KeyherdQuotaUsageHigh", Severity::info, seconds(0), "The quota usage of a key is high."},
    {"KeyherdQuotaUsageHigh", Severity::warning, seconds(0), "The quota usage of a key is high."},
    {"KeyherdQuotaUsageHigh", Severity::critical, seconds(0), "The quota usage of a key is high."},
    {"KeyherdUsageLogUnreadable", Severity::warning, minutes(5), "A usage log cannot be read."},
    {"KeyherdUsageLogLagging", Severity::warning, minutes(5),
     "The agent does not keep up with a usage log."},
    {"KeyherdUsageLogSilent", Severity::warning, minutes(1), "A usage log has gone silent."},
    {"KeyherdConfigReloadFailed", Severity::warning, minutes(5), "A configuration was refused."},
    {"KeyherdStateNotSaved", Severity::warning, minutes(5), "An agent cannot save its state."},
    {"KeyherdAuditNotWritten", Severity::warning, minutes(10), "The audit log cannot be written."},
});

const AlertRule* rule(std::string_view name, Severity severity) {
  const auto* const found = std::find_if(kRules.begin(), kRules.end(), [&](const AlertRule& row) {
    return row.name == name && row.severity == severity;
  });
  if (found == kRules.end())
    throw std::logic_error("no such alert: " + std::string(name));
  return found;
}

std::string age(std::chrono::nanoseconds span) {
  return describe_duration(std::chrono::floor<seconds>(span));
}

class Search {
 public:
  Search(const model::Snapshot& snapshot, WallTime now) : snapshot_(snapshot), now_(now) {}

  std::vector<Finding> run() {
    for (const auto& view : snapshot_.providers)
      look_at(*view);
    for (const auto& view : snapshot_.pools)
      look_at(*view);
    for (const auto& view : snapshot_.keys) {
      look_at(*view);
      for (const model::QuotaStatus& quota : view->quotas)
        look_at(quota, view->key.provider);
    }
    for (const model::QuotaStatus& quota : snapshot_.group_quotas)
      look_at(quota, "");
    for (const auto& view : snapshot_.sources)
      look_at(*view);
    look_at(snapshot_.agent);
    return std::move(found_);
  }

 private:
  void add(std::string_view name, Severity severity, Labels labels, std::string description) {
    found_.push_back({rule(name, severity), std::move(labels), std::move(description)});
  }

  void look_at(const model::ProviderView& view) {
    if (view.up)
      return;
    down_.insert(view.provider.id);
    add("KeyherdEndpointDown", Severity::critical, {{"provider", view.provider.id}},
        fmt::format("{} fails for all its keys at once: the keys are frozen as they were.",
                    view.provider.id));
  }

  void look_at(const PoolView& view) {
    const std::string& id = view.pool.id;
    if (view.available == 0)
      add("KeyherdPoolExhausted", Severity::critical, {{"pool", id}},
          fmt::format("Pool {} has no usable key left: its consumers keep the last published one, "
                      "which does not work.",
                      id));
    else if (view.available < view.pool.min_available)
      add("KeyherdPoolBelowMinimum", Severity::warning, {{"pool", id}},
          fmt::format("Usable keys of pool {}: {}, fewer than its min_available.", id,
                      view.available));
    if (view.available > 0 && !view.survives_key_loss)
      add("KeyherdPoolNoRedundancy", Severity::warning, {{"pool", id}},
          fmt::format("Pool {} works, but losing one more key or limit group would leave it "
                      "without any.",
                      id));
    const auto old = now_ - view.state.decided_at;
    if (view.state.decided_at > WallTime{} && old > view.pool.valid_for)
      add("KeyherdDecisionStale", Severity::critical, {{"pool", id}},
          fmt::format("The last decision of pool {} is {} old and has expired: consumers may be "
                      "using a key that should be gone.",
                      id, age(old)));
    if (view.next_rotation_at && *view.next_rotation_at + minutes(5) < now_)
      add("KeyherdScheduleOverdue", Severity::warning, {{"schedule", id}},
          fmt::format("The schedule of pool {} should have run more than five minutes ago.", id));
  }

  void look_at(const KeyView& view) {
    const model::Key& key = view.key;
    const Labels labels{{"key", key.id}, {"provider", key.provider}};
    const KeyState state = view.health.state;
    if (state == KeyState::dead)
      add("KeyherdKeyRejected", Severity::warning, labels,
          fmt::format("Key {} is rejected by {}, several times over: a person must replace it.",
                      key.id, key.provider));
    else if (!model::is_usable(state) && state != KeyState::exhausted &&
             state != KeyState::paused && !down_.contains(key.provider))
      add("KeyherdKeyDown", Severity::warning, labels,
          fmt::format("Key {} of {} is unusable, and neither rejection, exhaustion nor a pause "
                      "explains it.",
                      key.id, key.provider));
    const WallTime probed = view.health.last_probe_at.value_or(snapshot_.agent.config_loaded_at);
    if (view.probe_interval.count() > 0 && now_ - probed > 3 * view.probe_interval + minutes(1))
      add("KeyherdProbeStale", Severity::warning, labels,
          fmt::format("Key {} of {} was last probed {} ago, more than three intervals: what is "
                      "believed of it may be wrong.",
                      key.id, key.provider, age(now_ - probed)));
    if (key.expires_at)
      look_at_expiry(key, labels, *key.expires_at - now_);
  }

  void look_at_expiry(const model::Key& key, const Labels& labels, std::chrono::nanoseconds left) {
    if (left >= snapshot_.agent.expiry_warning)
      return;
    const bool critical = left < snapshot_.agent.expiry_critical;
    add("KeyherdKeyExpiring", critical ? Severity::critical : Severity::warning, labels,
        left.count() > 0
            ? fmt::format("Key {} of {} expires in {}.", key.id, key.provider, age(left))
            : fmt::format("Key {} of {} has expired.", key.id, key.provider));
  }

  // Fewer than three thresholds are the highest levels.
  void look_at(const model::QuotaStatus& quota, const std::string& provider) {
    constexpr std::array kLevels{Severity::info, Severity::warning, Severity::critical};
    std::size_t level = kLevels.size() - std::min(quota.thresholds.size(), kLevels.size());
    const Severity* crossed = nullptr;
    for (const double threshold : quota.thresholds) {
      if (level < kLevels.size() && quota.ratio() >= threshold)
        crossed = &kLevels[level];
      ++level;
    }
    if (crossed != nullptr)
      add("KeyherdQuotaUsageHigh", *crossed,
          {{"key", quota.owner}, {"provider", provider}, {"quota", quota.quota}},
          fmt::format("{:.4g}% of quota {} of {} is used.", quota.ratio() * 100, quota.quota,
                      quota.owner));
  }

  void look_at(const model::SourceView& view) {
    const Labels labels{{"source", view.log.id}};
    if (!view.status.up)
      add("KeyherdUsageLogUnreadable", Severity::warning, labels,
          fmt::format("Usage log {} cannot be read: quotas and costs stand still.", view.log.id));
    if (view.status.lag_bytes > view.log.lag_threshold_bytes)
      add("KeyherdUsageLogLagging", Severity::warning, labels,
          fmt::format("Usage log {} is {} bytes ahead of what has been counted.", view.log.id,
                      view.status.lag_bytes));
    const WallTime last = view.status.last_record_at.value_or(WallTime{});
    if (view.log.idle_after && now_ - last > *view.log.idle_after)
      add("KeyherdUsageLogSilent", Severity::warning, labels,
          view.status.last_record_at
              ? fmt::format("Usage log {} has had no record for {}.", view.log.id, age(now_ - last))
              : fmt::format("Usage log {} has had no record yet.", view.log.id));
  }

  void look_at(const model::AgentView& view) {
    if (!view.config_reload_ok)
      add("KeyherdConfigReloadFailed", Severity::warning, {},
          "The agent refused its changed configuration and runs on the one before; a restart would "
          "fail.");
    const auto unsaved = now_ - view.last_commit_at.value_or(view.started_at);
    if (unsaved > 10 * view.commit_interval)
      add("KeyherdStateNotSaved", Severity::warning, {},
          fmt::format("The agent has not saved its state for {}: usage is no longer read and "
                      "rotations wait.",
                      age(unsaved)));
    if (view.audit && view.audit->waiting > 0)
      add("KeyherdAuditNotWritten", Severity::warning, {},
          fmt::format("The agent has {} entries that it cannot write to its audit log. Keys are "
                      "rotated all the same.",
                      view.audit->waiting));
  }

  const model::Snapshot& snapshot_;
  const WallTime now_;
  std::set<std::string> down_;
  std::vector<Finding> found_;
};

}  // namespace

std::span<const AlertRule> alert_rules() {
  return kRules;
}

std::vector<Finding> find_alerts(const model::Snapshot& snapshot, WallTime now) {
  return Search(snapshot, now).run();
}

}  // namespace keyherd::notify
