#include <array>
#include <map>

#include "metrics/families.hpp"
#include "metrics/text_writer.hpp"

namespace keyherd::metrics {

namespace {

using model::PoolView;
using model::SourceView;

template <class Value>
void each_pool(TextWriter& out, const Herd& herd, Value value) {
  for (const PoolRow& row : herd.pools)
    out.sample(row.label, {}, value(*row.view));
}

template <class Value>
void each_schedule(TextWriter& out, const Herd& herd, Value value) {
  for (const PoolRow& row : herd.pools)
    if (!row.schedule.empty())
      out.sample(row.schedule, {}, value(*row.view));
}

template <class Value>
void each_source(TextWriter& out, const Herd& herd, Value value) {
  for (const SourceRow& row : herd.sources)
    out.sample(row.label, {}, value(*row.view));
}

void write_active_keys(TextWriter& out, const Herd& herd) {
  for (const PoolRow& row : herd.pools)
    for (const std::string& key : row.view->pool.keys)
      out.sample(row.label, label("key", key), std::int64_t{key == row.view->state.active});
}

void write_rotations(TextWriter& out, const Herd& herd) {
  for (const PoolRow& row : herd.pools)
    for (std::size_t i = 0; i < model::kRotationTriggerCount; ++i)
      out.sample(row.label, label("trigger", to_string(static_cast<model::RotationTrigger>(i))),
                 row.view->rotations[i]);
}

void write_rotation_failures(TextWriter& out, const Herd& herd) {
  for (const PoolRow& row : herd.pools)
    for (std::size_t i = 0; i < model::kRotationFailureCount; ++i)
      out.sample(row.label, label("reason", to_string(static_cast<model::RotationFailure>(i))),
                 row.view->failures[i]);
}

using Out = TextWriter;

constexpr std::array kPoolFamilies{
    whole("keyherd_pool_info",
          [](Out& out, const Herd& herd) {
            for (const PoolRow& row : herd.pools)
              out.sample(row.label, label("strategy", to_string(row.view->pool.strategy)),
                         std::int64_t{1});
          }),
    whole("keyherd_pool_active_key", write_active_keys),
    whole("keyherd_pool_available_keys",
          [](Out& out, const Herd& herd) {
            each_pool(out, herd, [](const PoolView& view) { return std::int64_t{view.available}; });
          }),
    whole("keyherd_pool_min_available_keys",
          [](Out& out, const Herd& herd) {
            each_pool(out, herd,
                      [](const PoolView& view) { return std::int64_t{view.pool.min_available}; });
          }),
    whole("keyherd_pool_survives_key_loss",
          [](Out& out, const Herd& herd) {
            each_pool(out, herd,
                      [](const PoolView& view) { return std::int64_t{view.survives_key_loss}; });
          }),
    whole("keyherd_pool_exhaustion_timestamp_seconds",
          [](Out& out, const Herd& herd) {
            each_pool(out, herd, [](const PoolView& view) { return timestamp(view.exhausted_at); });
          }),
    whole("keyherd_pool_slo_objective_ratio",
          [](Out& out, const Herd& herd) {
            each_pool(out, herd, [](const PoolView& view) { return view.pool.slo_objective; });
          }),
    whole("keyherd_pool_decision_timestamp_seconds",
          [](Out& out, const Herd& herd) {
            each_pool(out, herd,
                      [](const PoolView& view) { return timestamp(view.state.decided_at); });
          }),
    whole("keyherd_pool_decision_max_age_seconds",
          [](Out& out, const Herd& herd) {
            each_pool(out, herd, [](const PoolView& view) { return seconds(view.pool.valid_for); });
          }),
    whole("keyherd_rotations_total", write_rotations),
    whole("keyherd_rotation_failures_total", write_rotation_failures),
    whole("keyherd_rotation_last_success_timestamp_seconds",
          [](Out& out, const Herd& herd) {
            each_pool(out, herd,
                      [](const PoolView& view) { return timestamp(view.last_success_at); });
          }),
    whole("keyherd_rotation_adoption_ratio",
          [](Out& out, const Herd& herd) {
            for (const PoolRow& row : herd.pools) {
              if (row.view->adoption)
                out.sample(row.label, {}, *row.view->adoption);
            }
          }),
    whole("keyherd_rotation_duration_seconds",
          [](Out& out, const Herd& herd) {
            out.histogram({}, herd.snapshot->agent.rotation_duration);
          }),
    whole("keyherd_schedule_next_run_timestamp_seconds",
          [](Out& out, const Herd& herd) {
            each_schedule(out, herd,
                          [](const PoolView& view) { return timestamp(view.next_rotation_at); });
          }),
    whole("keyherd_schedule_last_run_timestamp_seconds",
          [](Out& out, const Herd& herd) {
            each_schedule(out, herd,
                          [](const PoolView& view) { return timestamp(view.last_scheduled_at); });
          }),
    whole("keyherd_schedule_last_success_timestamp_seconds",
          [](Out& out, const Herd& herd) {
            each_schedule(out, herd, [](const PoolView& view) {
              return timestamp(view.last_scheduled_success_at);
            });
          }),
    whole("keyherd_schedule_runs_total",
          [](Out& out, const Herd& herd) {
            each_schedule(out, herd, [](const PoolView& view) { return view.schedule_runs; });
          }),
    whole("keyherd_schedule_failures_total",
          [](Out& out, const Herd& herd) {
            each_schedule(out, herd, [](const PoolView& view) { return view.schedule_failures; });
          }),
    whole("keyherd_schedule_missed_total",
          [](Out& out, const Herd& herd) {
            each_schedule(out, herd, [](const PoolView& view) { return view.schedule_missed; });
          }),
};

void write_rejected(TextWriter& out, const Herd& herd) {
  for (const SourceRow& row : herd.sources)
    for (std::size_t i = 0; i < model::kRejectReasonCount; ++i)
      out.sample(row.label, label("reason", to_string(static_cast<model::RejectReason>(i))),
                 row.view->counts.rejected[i]);
}

void write_suspect(TextWriter& out, const Herd& herd) {
  for (const SourceRow& row : herd.sources)
    for (std::size_t i = 0; i < model::kSuspicionCount; ++i)
      out.sample(row.label, label("reason", to_string(static_cast<model::Suspicion>(i))),
                 row.view->counts.suspect[i]);
}

void write_file_changes(TextWriter& out, const Herd& herd) {
  for (const SourceRow& row : herd.sources) {
    out.sample(row.label, "kind=\"rename\"", row.view->counts.renames);
    out.sample(row.label, "kind=\"truncate\"", row.view->counts.truncations);
  }
}

void write_idle_thresholds(TextWriter& out, const Herd& herd) {
  for (const SourceRow& row : herd.sources)
    if (row.view->log.idle_after)
      out.sample(row.label, {}, seconds(*row.view->log.idle_after));
}

constexpr std::array kUsageLogFamilies{
    whole("keyherd_usagelog_up",
          [](Out& out, const Herd& herd) {
            each_source(out, herd,
                        [](const SourceView& view) { return std::int64_t{view.status.up}; });
          }),
    whole("keyherd_usagelog_lag_bytes",
          [](Out& out, const Herd& herd) {
            each_source(out, herd, [](const SourceView& view) {
              return static_cast<std::int64_t>(view.status.lag_bytes);
            });
          }),
    whole("keyherd_usagelog_lag_threshold_bytes",
          [](Out& out, const Herd& herd) {
            each_source(out, herd, [](const SourceView& view) {
              return static_cast<std::int64_t>(view.log.lag_threshold_bytes);
            });
          }),
    whole("keyherd_usagelog_last_record_timestamp_seconds",
          [](Out& out, const Herd& herd) {
            each_source(out, herd, [](const SourceView& view) {
              return timestamp(view.status.last_record_at);
            });
          }),
    whole("keyherd_usagelog_last_read_timestamp_seconds",
          [](Out& out, const Herd& herd) {
            each_source(out, herd,
                        [](const SourceView& view) { return timestamp(view.status.last_read_at); });
          }),
    whole("keyherd_usagelog_idle_threshold_seconds", write_idle_thresholds),
    whole("keyherd_usagelog_read_bytes_total",
          [](Out& out, const Herd& herd) {
            each_source(out, herd, [](const SourceView& view) { return view.counts.read_bytes; });
          }),
    whole("keyherd_usagelog_records_total",
          [](Out& out, const Herd& herd) {
            each_source(out, herd, [](const SourceView& view) { return view.counts.records; });
          }),
    whole("keyherd_usagelog_records_rejected_total", write_rejected),
    whole("keyherd_usagelog_records_suspect_total", write_suspect),
    whole("keyherd_usagelog_records_late_total",
          [](Out& out, const Herd& herd) {
            each_source(out, herd, [](const SourceView& view) { return view.counts.late; });
          }),
    whole("keyherd_usagelog_duplicate_conflicts_total",
          [](Out& out, const Herd& herd) {
            each_source(out, herd, [](const SourceView& view) { return view.counts.conflicts; });
          }),
    whole("keyherd_usagelog_lost_bytes_total",
          [](Out& out, const Herd& herd) {
            each_source(out, herd, [](const SourceView& view) { return view.counts.lost_bytes; });
          }),
    whole("keyherd_usagelog_stalled",
          [](Out& out, const Herd& herd) {
            const bool stalled = !herd.snapshot->agent.ready;
            each_source(out, herd, [=](const SourceView&) { return std::int64_t{stalled}; });
          }),
    whole("keyherd_usagelog_file_changes_total", write_file_changes),
    whole("keyherd_usagelog_read_errors_total",
          [](Out& out, const Herd& herd) {
            each_source(out, herd, [](const SourceView& view) { return view.counts.read_errors; });
          }),
};

void write_counts(TextWriter& out, std::string_view name,
                  const std::map<std::string, std::int64_t>& counts) {
  for (const auto& [value, count] : counts)
    out.sample({}, label(name, value), count);
}

void write_clock_skew(TextWriter& out, const Herd& herd) {
  for (const ProviderRow& row : herd.providers)
    if (row.view->clock_skew_seconds)
      out.sample(row.label, {}, *row.view->clock_skew_seconds);
}

void audit_count(Out& out, const Herd& herd, std::int64_t model::AuditView::*count) {
  if (herd.snapshot->agent.audit)
    out.sample({}, {}, (*herd.snapshot->agent.audit).*count);
}

constexpr std::array kAgentFamilies{
    whole("keyherd_config_last_reload_successful",
          [](Out& out, const Herd& herd) {
            out.sample({}, {}, std::int64_t{herd.snapshot->agent.config_reload_ok});
          }),
    whole("keyherd_config_last_reload_success_timestamp_seconds",
          [](Out& out, const Herd& herd) {
            out.sample({}, {}, timestamp(herd.snapshot->agent.config_loaded_at));
          }),
    whole("keyherd_state_last_save_success_timestamp_seconds",
          [](Out& out, const Herd& herd) {
            out.sample({}, {}, timestamp(herd.snapshot->agent.last_commit_at));
          }),
    whole("keyherd_state_save_interval_seconds",
          [](Out& out, const Herd& herd) {
            out.sample({}, {}, seconds(herd.snapshot->agent.commit_interval));
          }),
    whole("keyherd_state_save_failures_total",
          [](Out& out, const Herd& herd) {
            out.sample({}, {}, herd.snapshot->agent.commit_failures);
          }),
    whole("keyherd_audit_entries_total",
          [](Out& out, const Herd& herd) { audit_count(out, herd, &model::AuditView::entries); }),
    whole("keyherd_audit_entries_waiting",
          [](Out& out, const Herd& herd) { audit_count(out, herd, &model::AuditView::waiting); }),
    whole("keyherd_audit_entries_dropped_total",
          [](Out& out, const Herd& herd) { audit_count(out, herd, &model::AuditView::dropped); }),
    whole("keyherd_audit_write_failures_total",
          [](Out& out, const Herd& herd) { audit_count(out, herd, &model::AuditView::failures); }),
    whole("keyherd_notifications_total",
          [](Out& out, const Herd& herd) {
            write_counts(out, "target", herd.snapshot->agent.notifications);
          }),
    whole("keyherd_notification_failures_total",
          [](Out& out, const Herd& herd) {
            write_counts(out, "target", herd.snapshot->agent.notification_failures);
          }),
    whole("keyherd_secret_load_failures_total",
          [](Out& out, const Herd& herd) {
            write_counts(out, "source", herd.snapshot->agent.secret_load_failures);
          }),
    whole("keyherd_clock_skew_seconds", write_clock_skew),
};

}  // namespace

FamilyTable pool_families() {
  return kPoolFamilies;
}
FamilyTable usage_log_families() {
  return kUsageLogFamilies;
}
FamilyTable agent_families() {
  return kAgentFamilies;
}

}  // namespace keyherd::metrics
