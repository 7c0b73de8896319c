#pragma once

// The immutable view that /metrics, the API and the page read. The loop publishes a new Snapshot
// after a change; a key's view is shared between snapshots until that key changes.

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/drill.hpp"
#include "model/evidence.hpp"
#include "model/health.hpp"
#include "model/key.hpp"
#include "model/key_views.hpp"
#include "model/pool.hpp"
#include "model/provider.hpp"
#include "model/quota_status.hpp"
#include "model/usage.hpp"
#include "model/wallet.hpp"

namespace keyherd::model {

// A histogram as Prometheus has it: buckets are cumulative, the last is +Inf and so the count.
struct HistogramView {
  std::vector<double> bounds;          // seconds, ascending, without +Inf
  std::vector<std::uint64_t> buckets;  // one more than bounds
  double sum = 0;
};
HistogramView make_histogram(std::vector<double> bounds);
void observe(HistogramView& histogram, double seconds);

// Reasons of failed log lines, label `reason` of keyherd_usage_request_failures_total.
enum class UsageFailure { auth, quota, rate_limited, client_error, server_error, network };
inline constexpr std::size_t kUsageFailureCount = 6;
std::string_view to_string(UsageFailure reason);
UsageFailure usage_failure_from_status(int http_status);

struct ProbeTotals {
  std::array<std::int64_t, kProbeKindCount> probes{};
  std::array<std::int64_t, kVerdictCount> failures{};  // by verdict; ok stays 0
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  NanoUsd cost = 0;
  std::int64_t paid_at = 0;  // of the last paid probe, Unix time in ns; 0: there was none
  friend bool operator==(const ProbeTotals&, const ProbeTotals&) = default;
};

struct KeyView {
  Key key;
  std::string fingerprint;  // of the current secret
  bool in_drill = false;    // the pools treat it as revoked, or will
  bool secret_loaded = false;
  KeyHealth health;
  // Keys of other limit groups that seem to share its account, and why it seems so.
  std::map<std::string, std::string> shares_account_with;
  std::optional<ProbeAnswer> last_probe;
  std::chrono::nanoseconds probe_interval{0};
  ProbeTotals probes;
  std::map<std::string, UsageCounts> usage_by_model;  // all-time totals
  std::array<std::int64_t, kUsageFailureCount> usage_failures{};
  SuspectCounts suspects{};  // all-time
  // How far the numbers from the logs can be believed, 0..1: the share of clean lines of the last
  // day, times the share of the wallet's fall that the logs explain. Nothing without lines.
  std::optional<double> trust;
  std::optional<WallTime> last_used_at;
  std::vector<QuotaStatus> quotas;
  std::vector<Balance> balances;
  std::optional<WallTime> balances_at;
  // When a balance is gone if it falls on as in the last day, by currency.
  std::map<std::string, WallTime> balances_gone_at;
  std::vector<BalanceRecord> wallet;  // by currency
  std::vector<RateLimit> rate_limits;
  std::optional<WallTime> rate_limits_at;
};

struct PoolView {
  Pool pool;
  PoolState state;
  int available = 0;  // usable member keys
  // More than one usable key, in more than one limit group if it has several, and without the
  // biggest of them the others' limits carry today's use until their resets.
  bool survives_key_loss = false;
  // When the limits of its usable keys are used up at the rate of the last hour; nothing: not
  // before their resets.
  std::optional<WallTime> exhausted_at;
  std::optional<WallTime> next_rotation_at;
  std::optional<WallTime> last_scheduled_at;
  std::optional<WallTime> last_success_at;
  std::optional<WallTime> last_scheduled_success_at;  // of a rotation that the schedule started
  std::array<std::int64_t, kRotationTriggerCount> rotations{};
  std::array<std::int64_t, kRotationFailureCount> failures{};
  std::int64_t schedule_runs = 0;
  std::int64_t schedule_failures = 0;
  std::int64_t schedule_missed = 0;
  std::optional<Freeze> freeze;  // in force
  // Of the requests of the last five minutes with keys of the pool, the share with the active one;
  // nothing without requests.
  std::optional<double> adoption;
  std::optional<Drill> drill;  // under way, else the last one of the agent if it was here
  std::string problem;         // why the pool could not do what it wanted, for people
};

struct ProviderView {
  Provider provider;
  bool up = true;        // false during an incident of the provider
  std::string incident;  // one sentence
  std::optional<WallTime> incident_since;
  std::array<HistogramView, kProbeKindCount> durations;
  std::optional<double> clock_skew_seconds;
  // Whether the endpoint refuses a made-up key; nothing while that is not known.
  std::optional<bool> authenticates;
};

struct SourceView {
  UsageLog log;
  SourceStatus status;
  SourceCounts counts;               // all-time
  std::vector<std::string> samples;  // of rejected and suspect lines, newest last, bounded
};

struct AuditView {
  std::int64_t entries = 0;   // since ever
  std::int64_t waiting = 0;   // stored, not yet in the log
  std::int64_t failures = 0;  // of writing the log, since the start
  std::int64_t dropped = 0;   // entries, since the start
};

struct AgentView {
  WallTime started_at;
  bool config_reload_ok = true;
  WallTime config_loaded_at;
  std::string config_error;  // of the last failed reload
  std::optional<WallTime> last_commit_at;
  // The store commits at least this often, even when nothing has changed.
  std::chrono::nanoseconds commit_interval = std::chrono::minutes(1);
  std::int64_t commit_failures = 0;
  // How long before a key's expiry the warning and the critical alert are due.
  std::chrono::nanoseconds expiry_warning = std::chrono::hours(24 * 14);
  std::chrono::nanoseconds expiry_critical = std::chrono::hours(24 * 3);
  // Spending that no log explains is worth an alert from this amount on, over this time.
  NanoUsd unaccounted_spend = kNanosPerUsd;
  // An hour's logged cost below this is no anomaly, whatever the days before cost.
  NanoUsd spend_anomaly_floor = kNanosPerUsd;
  std::chrono::nanoseconds drain_window = std::chrono::hours(6);
  bool ready = false;  // state restored and the store accepts commits
  std::string not_ready_because;
  std::int64_t probes_in_flight = 0;
  std::int64_t probe_queue = 0;
  std::array<std::int64_t, 4> probes_skipped{};  // budget, cooldown, recent_evidence, disabled
  std::optional<double> probe_budget_used;       // of the day; nothing: there is no budget
  HistogramView schedule_delay;
  HistogramView rotation_duration;
  std::map<std::string, std::int64_t> notifications;          // by target kind
  std::map<std::string, std::int64_t> notification_failures;  // by target kind
  std::map<std::string, std::int64_t> secret_load_failures;   // by reference kind
  std::optional<AuditView> audit;                             // nothing: no audit log is kept
  std::int64_t events_dropped = 0;
  std::int64_t clock_steps = 0;
};

using RotationsPtr = std::shared_ptr<const std::vector<Rotation>>;

struct Snapshot {
  WallTime at;
  std::uint64_t version = 0;
  KeyViews keys;
  // Sorted by id.
  std::vector<std::shared_ptr<const PoolView>> pools;
  std::vector<std::shared_ptr<const ProviderView>> providers;
  std::vector<std::shared_ptr<const SourceView>> sources;
  std::vector<QuotaStatus> group_quotas;
  std::vector<WalletDrain> drains;  // of the last hours, see AgentView::drain_window
  RotationsPtr rotations;           // newest first, bounded; null: none
  AgentView agent;
};

using SnapshotPtr = std::shared_ptr<const Snapshot>;

// Lookup by id; null when absent.
const KeyView* find_key(const Snapshot& snapshot, std::string_view id);
const PoolView* find_pool(const Snapshot& snapshot, std::string_view id);

}  // namespace keyherd::model
