#include <array>
#include <map>

#include "metrics/families.hpp"
#include "metrics/text_writer.hpp"

namespace keyherd::metrics {

namespace {

using model::PoolView;
using model::SourceView;

// One gauge or counter a row (a pool, a schedule, a usage log) under its one label.
template <class View>
struct Rows {
  TextWriter& out;
  std::vector<std::pair<std::string, const View*>> rows;

  template <class Value>
  void write(std::string_view family, Value value) const {
    out.family(family);
    for (const auto& [labels, view] : rows)
      out.sample(labels, {}, value(*view));
  }
};

void write_pool_members(TextWriter& out, const Rows<PoolView>& pools) {
  out.family("keyherd_pool_info");
  for (const auto& [labels, view] : pools.rows)
    out.sample(labels, label("strategy", to_string(view->pool.strategy)), std::int64_t{1});
  out.family("keyherd_pool_active_key");
  for (const auto& [labels, view] : pools.rows)
    for (const std::string& key : view->pool.keys)
      out.sample(labels, label("key", key), std::int64_t{key == view->state.active});
}

void write_rotations(TextWriter& out, const Rows<PoolView>& pools) {
  out.family("keyherd_rotations_total");
  for (const auto& [labels, view] : pools.rows)
    for (std::size_t i = 0; i < model::kRotationTriggerCount; ++i)
      out.sample(labels, label("trigger", to_string(static_cast<model::RotationTrigger>(i))),
                 view->rotations[i]);
  out.family("keyherd_rotation_failures_total");
  for (const auto& [labels, view] : pools.rows)
    for (std::size_t i = 0; i < model::kRotationFailureCount; ++i)
      out.sample(labels, label("reason", to_string(static_cast<model::RotationFailure>(i))),
                 view->failures[i]);
}

void write_schedules(TextWriter& out, const model::Snapshot& snapshot) {
  Rows<PoolView> schedules{out, {}};
  for (const auto& view : snapshot.pools)
    if (!view->pool.schedule.empty())
      schedules.rows.emplace_back(label("schedule", view->pool.id), view.get());
  schedules.write("keyherd_schedule_next_run_timestamp_seconds",
                  [](const PoolView& view) { return timestamp(view.next_rotation_at); });
  schedules.write("keyherd_schedule_last_run_timestamp_seconds",
                  [](const PoolView& view) { return timestamp(view.last_scheduled_at); });
  schedules.write("keyherd_schedule_last_success_timestamp_seconds",
                  [](const PoolView& view) { return timestamp(view.last_scheduled_success_at); });
  schedules.write("keyherd_schedule_runs_total",
                  [](const PoolView& view) { return view.schedule_runs; });
  schedules.write("keyherd_schedule_failures_total",
                  [](const PoolView& view) { return view.schedule_failures; });
  schedules.write("keyherd_schedule_missed_total",
                  [](const PoolView& view) { return view.schedule_missed; });
}

void write_source_counts(TextWriter& out, const Rows<SourceView>& sources) {
  sources.write("keyherd_usagelog_read_bytes_total",
                [](const SourceView& view) { return view.counts.read_bytes; });
  sources.write("keyherd_usagelog_records_total",
                [](const SourceView& view) { return view.counts.records; });
  out.family("keyherd_usagelog_records_rejected_total");
  for (const auto& [labels, view] : sources.rows)
    for (std::size_t i = 0; i < model::kRejectReasonCount; ++i)
      out.sample(labels, label("reason", to_string(static_cast<model::RejectReason>(i))),
                 view->counts.rejected[i]);
  out.family("keyherd_usagelog_file_changes_total");
  for (const auto& [labels, view] : sources.rows) {
    out.sample(labels, "kind=\"rename\"", view->counts.renames);
    out.sample(labels, "kind=\"truncate\"", view->counts.truncations);
  }
  sources.write("keyherd_usagelog_read_errors_total",
                [](const SourceView& view) { return view.counts.read_errors; });
}

void write_counts(TextWriter& out, std::string_view family, std::string_view name,
                  const std::map<std::string, std::int64_t>& counts) {
  out.family(family);
  for (const auto& [value, count] : counts)
    out.sample({}, label(name, value), count);
}

}  // namespace

void write_pools(TextWriter& out, const model::Snapshot& snapshot) {
  Rows<PoolView> pools{out, {}};
  for (const auto& view : snapshot.pools)
    pools.rows.emplace_back(label("pool", view->pool.id), view.get());
  write_pool_members(out, pools);
  pools.write("keyherd_pool_available_keys",
              [](const PoolView& view) { return std::int64_t{view.available}; });
  pools.write("keyherd_pool_min_available_keys",
              [](const PoolView& view) { return std::int64_t{view.pool.min_available}; });
  pools.write("keyherd_pool_survives_key_loss",
              [](const PoolView& view) { return std::int64_t{view.survives_key_loss}; });
  pools.write("keyherd_pool_slo_objective_ratio",
              [](const PoolView& view) { return view.pool.slo_objective; });
  pools.write("keyherd_pool_decision_timestamp_seconds",
              [](const PoolView& view) { return timestamp(view.state.decided_at); });
  pools.write("keyherd_pool_decision_max_age_seconds",
              [](const PoolView& view) { return seconds(view.pool.valid_for); });
  write_rotations(out, pools);
  pools.write("keyherd_rotation_last_success_timestamp_seconds",
              [](const PoolView& view) { return timestamp(view.last_success_at); });
  out.family("keyherd_rotation_duration_seconds");
  out.histogram({}, snapshot.agent.rotation_duration);
  write_schedules(out, snapshot);
}

void write_usage_logs(TextWriter& out, const model::Snapshot& snapshot) {
  Rows<SourceView> sources{out, {}};
  for (const auto& view : snapshot.sources)
    sources.rows.emplace_back(label("source", view->log.id), view.get());
  sources.write("keyherd_usagelog_up",
                [](const SourceView& view) { return std::int64_t{view.status.up}; });
  sources.write("keyherd_usagelog_lag_bytes", [](const SourceView& view) {
    return static_cast<std::int64_t>(view.status.lag_bytes);
  });
  sources.write("keyherd_usagelog_lag_threshold_bytes", [](const SourceView& view) {
    return static_cast<std::int64_t>(view.log.lag_threshold_bytes);
  });
  sources.write("keyherd_usagelog_last_record_timestamp_seconds",
                [](const SourceView& view) { return timestamp(view.status.last_record_at); });
  sources.write("keyherd_usagelog_last_read_timestamp_seconds",
                [](const SourceView& view) { return timestamp(view.status.last_read_at); });
  out.family("keyherd_usagelog_idle_threshold_seconds");
  for (const auto& [labels, view] : sources.rows)
    if (view->log.idle_after)
      out.sample(labels, {}, seconds(*view->log.idle_after));
  write_source_counts(out, sources);
}

void write_agent(TextWriter& out, const Herd& herd) {
  const model::AgentView& agent = herd.snapshot->agent;
  out.family("keyherd_config_last_reload_successful");
  out.sample({}, {}, std::int64_t{agent.config_reload_ok});
  out.family("keyherd_config_last_reload_success_timestamp_seconds");
  out.sample({}, {}, timestamp(agent.config_loaded_at));
  out.family("keyherd_state_last_save_success_timestamp_seconds");
  out.sample({}, {}, timestamp(agent.last_commit_at));
  out.family("keyherd_state_save_interval_seconds");
  out.sample({}, {}, seconds(agent.commit_interval));
  out.family("keyherd_state_save_failures_total");
  out.sample({}, {}, agent.commit_failures);
  write_counts(out, "keyherd_notifications_total", "target", agent.notifications);
  write_counts(out, "keyherd_notification_failures_total", "target", agent.notification_failures);
  write_counts(out, "keyherd_secret_load_failures_total", "source", agent.secret_load_failures);
  out.family("keyherd_clock_skew_seconds");
  for (const ProviderRow& row : herd.providers)
    if (row.view->clock_skew_seconds)
      out.sample(row.label, {}, *row.view->clock_skew_seconds);
}

}  // namespace keyherd::metrics
