#include "notify/alerts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>

#include "base/time_text.hpp"
#include "model/naming.hpp"

namespace keyherd::notify {

namespace {

using model::KeyState;
using model::KeyView;
using model::PoolView;
using model::Severity;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// So many probes in a row that failed: as many as condemn a key by default.
constexpr int kInconclusive = 3;

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
    {"KeyherdEndpointAcceptsAnyKey", Severity::info, minutes(15),
     "An endpoint accepts a made-up key."},
    {"KeyherdProbeBudgetSpent", Severity::warning, minutes(10),
     "The day's budget for probes is nearly used up."},
    {"KeyherdProbeStale", Severity::warning, minutes(2), "A key is no longer probed."},
    {"KeyherdProbeInconclusive", Severity::warning, minutes(15), "Probes say nothing of a key."},
    {"KeyherdKeyExpiring", Severity::warning, minutes(10), "A key expires soon."},
    {"KeyherdKeyExpiring", Severity::critical, minutes(10), "A key expires soon."},
    {"KeyherdKeyTooOld", Severity::warning, hours(1), "A key is older than it may be."},
    {"KeyherdQuotaUsageHigh", Severity::info, seconds(0), "The quota usage of a key is high."},
    {"KeyherdQuotaUsageHigh", Severity::warning, seconds(0), "The quota usage of a key is high."},
    {"KeyherdQuotaUsageHigh", Severity::critical, seconds(0), "The quota usage of a key is high."},
    {"KeyherdBalanceLow", Severity::warning, minutes(5), "The balance of an account is low."},
    {"KeyherdBalanceLow", Severity::critical, minutes(5), "The balance of an account is low."},
    {"KeyherdUnaccountedSpend", Severity::critical, minutes(30),
     "A balance falls faster than the usage logs explain."},
    {"KeyherdRateLimitNearlyUsed", Severity::info, minutes(10), "A rate limit is nearly used up."},
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

double in_units(std::int64_t nanos) {
  return static_cast<double>(nanos) / 1e9;
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
    look_at_group_quotas();
    for (const model::WalletDrain& drain : snapshot_.drains)
      look_at(drain);
    for (const auto& view : snapshot_.sources)
      look_at(*view);
    look_at(snapshot_.agent);
    return std::move(found_);
  }

 private:
  // To Prometheus an empty label is none.
  void add(std::string_view name, Severity severity, Labels labels, std::string description) {
    std::erase_if(labels, [](const auto& label) { return label.second.empty(); });
    found_.push_back({rule(name, severity), std::move(labels), std::move(description)});
  }

  void look_at(const model::ProviderView& view) {
    const std::string& id = view.provider.id;
    providers_[id] = &view;
    const std::string endpoint = model::endpoint_of(view.provider.base_url);
    const Labels labels{{"provider", id}, {"endpoint", endpoint}};
    if (!view.up)
      add("KeyherdEndpointDown", Severity::critical, labels,
          fmt::format("{} ({}) fails for all its keys at once: the keys are frozen as they were.",
                      id, endpoint));
    if (view.authenticates == false)
      add("KeyherdEndpointAcceptsAnyKey", Severity::info, labels,
          fmt::format("{} ({}) answers the first probe whatever key it is shown: its keys are "
                      "proven by a stronger probe, or not at all.",
                      id, endpoint));
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
                      "without a usable key, or with quotas that do not last until their resets.",
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
             state != KeyState::paused && !is_down(key.provider))
      add("KeyherdKeyDown", Severity::warning, labels,
          fmt::format("Key {} of {} is unusable, and neither rejection, exhaustion nor a pause "
                      "explains it.",
                      key.id, key.provider));
    look_at_probes(view, labels);
    look_at_balances(view, labels);
    if (key.expires_at)
      look_at_expiry(key, labels, *key.expires_at - now_);
    if (key.created_at && key.max_age && now_ - *key.created_at > *key.max_age)
      add("KeyherdKeyTooOld", Severity::warning, labels,
          fmt::format("The secret of key {} of {} is {} old, older than its max_age.", key.id,
                      key.provider, age(now_ - *key.created_at)));
  }

  // Real use is as good as a probe, and in a cool-down none is due.
  void look_at_probes(const KeyView& view, const Labels& labels) {
    const model::KeyHealth& health = view.health;
    const WallTime known = std::max(health.last_probe_at.value_or(snapshot_.agent.config_loaded_at),
                                    health.last_success_at.value_or(WallTime{}));
    const bool waits = health.cooldown_until && *health.cooldown_until > now_;
    if (!waits && view.probe_interval.count() > 0 &&
        now_ - known > 3 * view.probe_interval + minutes(1))
      add("KeyherdProbeStale", Severity::warning, labels,
          fmt::format("Key {} of {} was last probed, or seen to work, {} ago, more than three "
                      "intervals: what is believed of it may be wrong.",
                      view.key.id, view.key.provider, age(now_ - known)));
    if (health.state == KeyState::healthy && health.consecutive_failures >= kInconclusive &&
        !is_down(view.key.provider))
      add("KeyherdProbeInconclusive", Severity::warning, labels,
          fmt::format("Key {} of {} is taken for good, but its last {} probes failed for a reason "
                      "that is not the key's: what is believed of it may be out of date.",
                      view.key.id, view.key.provider, health.consecutive_failures));
    for (const model::RateLimit& limit : view.rate_limits) {
      if (limit.limit <= 0 ||
          static_cast<double>(limit.remaining) / static_cast<double>(limit.limit) >= 0.05)
        continue;
      Labels of_resource = labels;
      of_resource["resource"] = limit.resource;
      add("KeyherdRateLimitNearlyUsed", Severity::info, std::move(of_resource),
          fmt::format("Less than 5 % of the {} limit of {} at {} was left for ten minutes.",
                      limit.resource, view.key.id, view.key.provider));
    }
  }

  void look_at_balances(const KeyView& view, const Labels& labels) {
    const auto provider = providers_.find(view.key.provider);
    if (provider == providers_.end())
      return;
    const auto& thresholds = provider->second->provider.balance_thresholds;
    for (const model::Balance& balance : view.balances) {
      const auto threshold = thresholds.find(balance.currency);
      if (threshold == thresholds.end())
        continue;
      const auto& [warning, critical] = threshold->second;
      const bool is_critical = critical && balance.nanos <= *critical;
      if (!is_critical && !(warning && balance.nanos <= *warning))
        continue;
      Labels of_currency = labels;
      of_currency["currency"] = balance.currency;
      add("KeyherdBalanceLow", is_critical ? Severity::critical : Severity::warning,
          std::move(of_currency),
          fmt::format("The account of {} at {} has {:.4g} {} left.", view.key.id, view.key.provider,
                      in_units(balance.nanos), balance.currency));
    }
  }

  void look_at(const model::WalletDrain& drain) {
    if (drain.unaccounted.value_or(0) <= snapshot_.agent.unaccounted_spend)
      return;
    add("KeyherdUnaccountedSpend", Severity::critical,
        {{"key", drain.owner}, {"provider", drain.provider}, {"currency", "USD"}},
        fmt::format("Within six hours, {:.4g} USD of the account of {} at {} went that no usage "
                    "log accounts for: a leaked key, or traffic that is not logged.",
                    in_units(*drain.unaccounted), drain.owner, drain.provider));
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

  void look_at_group_quotas() {
    if (snapshot_.group_quotas.empty())
      return;
    const auto providers = model::providers_of_groups(snapshot_);
    for (const model::QuotaStatus& quota : snapshot_.group_quotas) {
      const auto provider = providers.find(quota.owner);
      look_at(quota, provider != providers.end() ? provider->second : std::string());
    }
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
    if (const double used = view.probe_budget_used.value_or(0); used > 0.9)
      add("KeyherdProbeBudgetSpent", Severity::warning, {},
          fmt::format("{:.4g}% of the day's budget for probes is used: spending is no longer "
                      "proven until midnight UTC.",
                      used * 100));
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

  [[nodiscard]] bool is_down(const std::string& provider) const {
    const auto found = providers_.find(provider);
    return found != providers_.end() && !found->second->up;
  }

  const model::Snapshot& snapshot_;
  const WallTime now_;
  std::map<std::string_view, const model::ProviderView*> providers_;
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
