#include "metrics/catalogue.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace keyherd::metrics {

namespace {

constexpr auto gauge = MetricType::gauge;
constexpr auto counter = MetricType::counter;
constexpr auto histogram = MetricType::histogram;
constexpr auto core = Tier::core;
constexpr auto optional = Tier::optional;

constexpr std::string_view kKeys = "Keys: identity and health";
constexpr std::string_view kProbes = "Probes";
constexpr std::string_view kQuota = "Quota";
constexpr std::string_view kUsage = "Usage and cost, from the usage logs";
constexpr std::string_view kLimits = "Rate limits and balances, as providers state them";
constexpr std::string_view kPools = "Pools, rotation, schedule";
constexpr std::string_view kLogs = "Usage logs";
constexpr std::string_view kAgent = "The agent itself";

constexpr std::array kCatalogue = std::to_array<MetricInfo>({
    {kAgent, "keyherd_build_info", gauge, "version, revision, compiler", "", core,
     "Build of the agent, always 1."},

    {kKeys, "keyherd_key_info", gauge, "key, provider, fingerprint, endpoint, account, model", "",
     core,
     "Facts about a key, always 1; account is its limit group, model the one that probes ask for."},
    {kKeys, "keyherd_key_labels", gauge, "key, label_*", "", optional,
     "User labels of a key, always 1."},
    {kKeys, "keyherd_key_up", gauge, "key, provider", "", core,
     "Whether the key can serve requests by what is believed of it now."},
    {kKeys, "keyherd_key_state", gauge, "key, provider, state", "", core,
     "State of the key: exactly one of the states is 1."},
    {kKeys, "keyherd_key_state_changed_timestamp_seconds", gauge, "key, provider", "seconds", core,
     "Time of the key's last change of state, 0 if there was none."},
    {kKeys, "keyherd_key_cooldown_until_timestamp_seconds", gauge, "key, provider", "seconds", core,
     "End of the key's cooldown, stated by the provider or computed; 0 if there is none."},
    {kKeys, "keyherd_key_created_timestamp_seconds", gauge, "key, provider", "seconds", optional,
     "Creation time of the key, from the configuration."},
    {kKeys, "keyherd_key_max_age_seconds", gauge, "key, provider", "seconds", optional,
     "Configured age of the key's secret above which an alert is due."},
    {kKeys, "keyherd_key_expiry_timestamp_seconds", gauge, "key, provider", "seconds", optional,
     "Expiry of the key, from the configuration or the provider."},
    {kKeys, "keyherd_key_expiry_threshold_seconds", gauge, "level", "seconds", core,
     "How long before a key's expiry an alert of this level is due."},
    {kKeys, "keyherd_endpoint_up", gauge, "provider, endpoint", "", core,
     "Whether the provider's endpoint itself works; 0 is one incident, not many bad keys."},
    {kKeys, "keyherd_endpoint_authenticates", gauge, "provider, endpoint", "", optional,
     "Whether the endpoint refuses a made-up key at the probe of first choice; 0: that probe's "
     "success does not count."},

    {kProbes, "keyherd_probes_total", counter, "key, provider, probe", "", core,
     "Probes finished."},
    {kProbes, "keyherd_probe_failures_total", counter, "key, provider, reason", "", core,
     "Probes that did not end ok, by verdict."},
    {kProbes, "keyherd_probe_last_timestamp_seconds", gauge, "key, provider", "seconds", core,
     "End of the key's last probe, 0 before the first."},
    {kProbes, "keyherd_probe_last_success_timestamp_seconds", gauge, "key, provider", "seconds",
     core, "Last time the key was seen to work, 0 before the first."},
    {kProbes, "keyherd_probe_last_duration_seconds", gauge, "key, provider", "seconds", core,
     "Duration of the key's last probe."},
    {kProbes, "keyherd_probe_last_http_status_code", gauge, "key, provider", "", core,
     "HTTP status of the key's last probe, 0 if there was no answer."},
    {kProbes, "keyherd_probe_consecutive_failures", gauge, "key, provider", "", core,
     "Probes of the key in a row that did not end ok."},
    {kProbes, "keyherd_probe_interval_seconds", gauge, "key, provider", "seconds", core,
     "Time between two probes of the key as it is now, cool-downs left out; 0 while it is not "
     "probed."},
    {kProbes, "keyherd_probe_tokens_total", counter, "key, provider, direction", "tokens", core,
     "Tokens that the probes themselves used."},
    {kProbes, "keyherd_probe_cost_total", counter, "key, provider, currency", "money", core,
     "Money that the probes themselves cost, by the price table."},
    {kProbes, "keyherd_probe_duration_seconds", histogram, "provider, probe", "seconds", core,
     "Duration of probes."},
    {kProbes, "keyherd_probe_latency_threshold_seconds", gauge, "provider", "seconds", optional,
     "Configured limit of the 95th percentile of probe durations."},
    {kProbes, "keyherd_probes_skipped_total", counter, "reason", "", core,
     "Probes not sent on purpose."},
    {kProbes, "keyherd_probe_schedule_delay_seconds", histogram, "", "seconds", core,
     "Time from when a probe was to start to its start; to keep probes apart is no delay."},
    {kProbes, "keyherd_probes_in_flight", gauge, "", "", core, "Probes under way."},
    {kProbes, "keyherd_probe_queue_length", gauge, "", "", core,
     "Probes that are due and wait for a worker."},
    {kProbes, "keyherd_probe_budget_used_ratio", gauge, "", "ratio", optional,
     "Used share of the day's budget for probes, of tokens or money, whichever is nearer its end; "
     "1 "
     "when what is left is too little for a probe."},

    {kQuota, "keyherd_quota_used_ratio", gauge, "key, provider, quota", "ratio", optional,
     "Used share of the quota in its current window, may exceed 1."},
    {kQuota, "keyherd_quota_used", gauge, "key, provider, quota, unit", "by label unit", optional,
     "Used amount of the quota in its current window."},
    {kQuota, "keyherd_quota_limit", gauge, "key, provider, quota, unit", "by label unit", optional,
     "Limit of the quota."},
    {kQuota, "keyherd_quota_threshold_ratio", gauge, "key, provider, quota, level", "ratio",
     optional, "Configured share of the quota from which an alert of this level is due."},
    {kQuota, "keyherd_quota_reset_timestamp_seconds", gauge, "key, provider, quota", "seconds",
     optional, "Start of the quota's next window."},
    {kQuota, "keyherd_quota_window_seconds", gauge, "key, provider, quota", "seconds", optional,
     "Length of the quota's current window."},
    {kQuota, "keyherd_quota_trust_ratio", gauge, "key", "ratio", optional,
     "How far the key's logged usage can be believed: the share of clean lines of the last day, "
     "times "
     "the share of its balance's fall that they explain."},

    {kUsage, "keyherd_usage_requests_total", counter, "key, provider, model", "", core,
     "Requests seen in the usage logs, failed ones included."},
    {kUsage, "keyherd_usage_request_failures_total", counter, "key, provider, reason", "", core,
     "Requests seen in the usage logs that failed."},
    {kUsage, "keyherd_usage_tokens_total", counter, "key, provider, model, direction", "tokens",
     core, "Tokens seen in the usage logs; input includes cached ones, output includes reasoning."},
    {kUsage, "keyherd_usage_cached_input_tokens_total", counter, "key, provider", "tokens", core,
     "Input tokens that the provider served from its cache; part of the input."},
    {kUsage, "keyherd_usage_reasoning_output_tokens_total", counter, "key, provider", "tokens",
     core, "Output tokens spent on reasoning; part of the output."},
    {kUsage, "keyherd_usage_cost_total", counter, "key, provider, model, currency", "money", core,
     "Cost of the logged requests, as logged or by the price table."},
    {kUsage, "keyherd_usage_unpriced_requests_total", counter, "provider", "", core,
     "Successful requests in the usage logs for which no price is known."},
    {kUsage, "keyherd_usage_last_record_timestamp_seconds", gauge, "key, provider", "seconds", core,
     "Last use of the key by the usage logs, 0 if there was none."},
    {kUsage, "keyherd_usage_models_folded_total", counter, "provider", "", core,
     "Requests in the usage logs that are shown under the model other."},

    {kLimits, "keyherd_ratelimit_limit", gauge, "key, provider, resource", "by label resource",
     optional, "Rate limit from the headers of the last answer."},
    {kLimits, "keyherd_ratelimit_remaining", gauge, "key, provider, resource", "by label resource",
     optional, "What was left of the rate limit at the last answer."},
    {kLimits, "keyherd_ratelimit_reset_timestamp_seconds", gauge, "key, provider, resource",
     "seconds", optional, "When the rate limit is full again, by the last answer."},
    {kLimits, "keyherd_ratelimit_observed_timestamp_seconds", gauge, "key, provider", "seconds",
     optional, "Time of the answer that the rate limits are from."},
    {kLimits, "keyherd_balance_remaining", gauge, "key, provider, currency", "money", optional,
     "Balance of the key's account at the last successful query."},
    {kLimits, "keyherd_balance_threshold", gauge, "key, provider, currency, level", "money",
     optional, "Configured balance at or below which an alert of this level is due."},
    {kLimits, "keyherd_balance_last_success_timestamp_seconds", gauge, "key, provider", "seconds",
     optional, "Time of the last successful query of the balance."},
    {kLimits, "keyherd_balance_drop_total", counter, "key, provider, currency", "money", optional,
     "How far the balance that the key shows has fallen, all falls together; top-ups do not "
     "count."},
    {kLimits, "keyherd_unaccounted_spend", gauge, "key, provider, currency", "money", optional,
     "What a key's or limit group's balance lost in six hours beyond what the usage logs explain; "
     "absent while a price or a rate is not known."},
    {kLimits, "keyherd_unaccounted_spend_threshold", gauge, "", "money", core,
     "Configured unaccounted spend in USD from which an alert is due."},
    {kLimits, "keyherd_spend_anomaly_floor_per_hour", gauge, "", "money", core,
     "Configured cost of a key in USD an hour below which no anomaly is seen."},

    {kPools, "keyherd_pool_info", gauge, "pool, strategy", "", core,
     "Facts about a pool, always 1."},
    {kPools, "keyherd_pool_active_key", gauge, "pool, key", "", core,
     "Whether this member of the pool is the key handed out now."},
    {kPools, "keyherd_pool_available_keys", gauge, "pool", "", core, "Usable keys of the pool."},
    {kPools, "keyherd_pool_min_available_keys", gauge, "pool", "", core,
     "Configured number of usable keys below which an alert is due."},
    {kPools, "keyherd_pool_survives_key_loss", gauge, "pool", "", core,
     "Whether the pool can lose any one key or limit group and still serve, by its usable keys and "
     "by "
     "what their quotas carry until their resets."},
    {kPools, "keyherd_pool_exhaustion_timestamp_seconds", gauge, "pool", "seconds", core,
     "When the quotas of the pool's usable keys are used up at the rate of the last hour, 0 if not "
     "before their resets."},
    {kPools, "keyherd_pool_slo_objective_ratio", gauge, "pool", "ratio", core,
     "Configured share of time for which the pool is to have a usable key."},
    {kPools, "keyherd_pool_decision_timestamp_seconds", gauge, "pool", "seconds", core,
     "Time of the last published decision, 0 before the first."},
    {kPools, "keyherd_pool_decision_max_age_seconds", gauge, "pool", "seconds", core,
     "How long a published decision is valid."},
    {kPools, "keyherd_rotations_total", counter, "pool, trigger", "", core,
     "Rotations started, by what started them."},
    {kPools, "keyherd_rotation_failures_total", counter, "pool, reason", "", core,
     "Rotations that failed, by where."},
    {kPools, "keyherd_rotation_last_success_timestamp_seconds", gauge, "pool", "seconds", core,
     "Time of the pool's last successful rotation, 0 before the first."},
    {kPools, "keyherd_rotation_adoption_ratio", gauge, "pool", "", optional,
     "Share of the requests of the last five minutes with keys of the pool that used the active "
     "one, "
     "by the usage logs."},
    {kPools, "keyherd_rotation_duration_seconds", histogram, "", "seconds", core,
     "Duration of rotations from start to end."},
    {kPools, "keyherd_schedule_next_run_timestamp_seconds", gauge, "schedule", "seconds", optional,
     "Next run of the pool's schedule, 0 if there will be none."},
    {kPools, "keyherd_schedule_last_run_timestamp_seconds", gauge, "schedule", "seconds", optional,
     "Last run of the pool's schedule, 0 before the first."},
    {kPools, "keyherd_schedule_last_success_timestamp_seconds", gauge, "schedule", "seconds",
     optional, "Last successful run of the pool's schedule, 0 before the first."},
    {kPools, "keyherd_schedule_runs_total", counter, "schedule", "", optional,
     "Runs of the pool's schedule."},
    {kPools, "keyherd_schedule_failures_total", counter, "schedule", "", optional,
     "Runs of the pool's schedule that failed."},
    {kPools, "keyherd_schedule_missed_total", counter, "schedule", "", optional,
     "Runs of the pool's schedule that fell due while the agent was not there."},

    {kLogs, "keyherd_usagelog_up", gauge, "source", "", core, "Whether the usage log can be read."},
    {kLogs, "keyherd_usagelog_lag_bytes", gauge, "source", "bytes", core,
     "Bytes of the usage log that are not read yet."},
    {kLogs, "keyherd_usagelog_lag_threshold_bytes", gauge, "source", "bytes", core,
     "Configured lag above which an alert is due."},
    {kLogs, "keyherd_usagelog_last_record_timestamp_seconds", gauge, "source", "seconds", core,
     "Time of the newest record by its own time stamp, 0 before the first."},
    {kLogs, "keyherd_usagelog_last_read_timestamp_seconds", gauge, "source", "seconds", core,
     "Time of the last read of the usage log, 0 before the first."},
    {kLogs, "keyherd_usagelog_idle_threshold_seconds", gauge, "source", "seconds", optional,
     "Configured silence after which an alert is due."},
    {kLogs, "keyherd_usagelog_read_bytes_total", counter, "source", "bytes", core,
     "Bytes read from the usage log."},
    {kLogs, "keyherd_usagelog_records_total", counter, "source", "", core,
     "Records of the usage log that were counted."},
    {kLogs, "keyherd_usagelog_records_rejected_total", counter, "source, reason", "", core,
     "Records of the usage log that were not counted."},
    {kLogs, "keyherd_usagelog_records_suspect_total", counter, "source, reason", "", core,
     "Records of the usage log that were counted but should not be trusted."},
    {kLogs, "keyherd_usagelog_records_late_total", counter, "source", "", core,
     "Records of the usage log older than the kept history: in the totals alone."},
    {kLogs, "keyherd_usagelog_duplicate_conflicts_total", counter, "source", "", core,
     "Rejected duplicates that named other numbers than the record that was counted."},
    {kLogs, "keyherd_usagelog_lost_bytes_total", counter, "source", "bytes", core,
     "Bytes that were known to be unread in files that are gone or compressed."},
    {kLogs, "keyherd_usagelog_stalled", gauge, "source", "", core,
     "Whether the usage log is not read on because the agent's state cannot be saved."},
    {kLogs, "keyherd_usagelog_file_changes_total", counter, "source, kind", "", core,
     "Changes of the file under the usage log's name."},
    {kLogs, "keyherd_usagelog_read_errors_total", counter, "source", "", core,
     "Failed reads of the usage log."},

    {kAgent, "keyherd_config_last_reload_successful", gauge, "", "", core,
     "Whether the last reload of the configuration was successful."},
    {kAgent, "keyherd_config_last_reload_success_timestamp_seconds", gauge, "", "seconds", core,
     "Time of the last successful load of the configuration."},
    {kAgent, "keyherd_state_last_save_success_timestamp_seconds", gauge, "", "seconds", core,
     "Time of the last successful commit of the agent's state, 0 before the first."},
    {kAgent, "keyherd_state_save_interval_seconds", gauge, "", "seconds", core,
     "Longest time between two commits of the agent's state when all is well."},
    {kAgent, "keyherd_state_save_failures_total", counter, "", "", core,
     "Failed commits of the agent's state."},
    {kAgent, "keyherd_audit_entries_total", counter, "", "", optional,
     "Entries of the audit log since its beginning, those that wait to be written included."},
    {kAgent, "keyherd_audit_entries_waiting", gauge, "", "", optional,
     "Entries that are saved with the state and not yet in the audit log."},
    {kAgent, "keyherd_audit_entries_dropped_total", counter, "", "", optional,
     "Entries that were lost because too many waited."},
    {kAgent, "keyherd_audit_write_failures_total", counter, "", "", optional,
     "Failed attempts to write the audit log."},
    {kAgent, "keyherd_notifications_total", counter, "target", "", core,
     "Messages sent, by kind of target: file, exec, webhook to consumers; alertmanager, "
     "alert_webhook about alerts."},
    {kAgent, "keyherd_notification_failures_total", counter, "target", "", core,
     "Messages that could not be delivered, by kind of target."},
    {kAgent, "keyherd_secret_load_failures_total", counter, "source", "", core,
     "Secrets that could not be loaded, by kind of reference."},
    {kAgent, "keyherd_clock_skew_seconds", gauge, "provider", "seconds", optional,
     "Provider's clock minus ours, from the Date header of its last answer."},
    {kAgent, "keyherd_http_requests_total", counter, "handler, method, code", "", core,
     "HTTP requests answered."},
    {kAgent, "keyherd_http_request_duration_seconds", histogram, "handler", "seconds", core,
     "Duration of HTTP requests, long polls included."},
    {kAgent, "keyherd_http_auth_failures_total", counter, "", "", core,
     "HTTP requests refused for a missing, wrong or too weak token."},
    {kAgent, "keyherd_log_messages_total", counter, "level", "", core, "Lines of the agent's log."},
    {kAgent, "process_cpu_seconds_total", counter, "", "seconds", core,
     "Total user and system CPU time spent in seconds."},
    {kAgent, "process_resident_memory_bytes", gauge, "", "bytes", core,
     "Resident memory size in bytes."},
    {kAgent, "process_virtual_memory_bytes", gauge, "", "bytes", core,
     "Virtual memory size in bytes."},
    {kAgent, "process_open_fds", gauge, "", "", core, "Number of open file descriptors."},
    {kAgent, "process_max_fds", gauge, "", "", core, "Maximum number of open file descriptors."},
    {kAgent, "process_start_time_seconds", gauge, "", "seconds", core,
     "Start time of the process since unix epoch in seconds."},
    {kAgent, "keyherd_scrape_duration_seconds", gauge, "", "seconds", core,
     "Time the agent took to write the exposition before this one."},
    {kAgent, "keyherd_scrape_series", gauge, "", "", core, "Series in this exposition."},
});

constexpr std::string_view kIntroduction =
    "# Metrics\n\n"
    "What `GET /metrics` answers. This page is generated from the agent's own table; a test keeps "
    "it\n"
    "equal. Rules and dashboards use nothing else.\n\n"
    "- Times are Unix seconds; 0 means that it never happened.\n"
    "- Money is exact decimal in the unit of the label `currency`, an ISO 4217 code.\n"
    "- `key` is the id from the configuration, never a part of the secret. A quota of a limit "
    "group has\n"
    "  `key=\"group:NAME\"`.\n"
    "- `model` is bounded: a key with more than four models shows at most four priced ones by "
    "name, the\n"
    "  others under `other`.\n"
    "- `endpoint` is host and port of the provider's base URL; `schedule` is the pool's id; "
    "`source` is\n"
    "  the usage log's name (of `keyherd_secret_load_failures_total`: the kind of reference).\n"
    "- Families marked *optional* are there when the fact is known or configured. Those with a "
    "label\n"
    "  appear with the first thing that they are about.\n";

std::string type_cell(const MetricInfo& info) {
  std::string text(to_string(info.type));
  if (info.tier == Tier::optional)
    text += ", optional";
  return text;
}

void append_section(std::string& out, std::string_view section) {
  out.append("\n## ").append(section).append("\n\n");
  out += "| name | type | labels | unit | meaning |\n| --- | --- | --- | --- | --- |\n";
  for (const MetricInfo& info : kCatalogue) {
    if (info.section != section)
      continue;
    out.append("| `").append(info.name).append("` | ").append(type_cell(info)).append(" | ");
    out.append(info.labels).append(" | ").append(info.unit).append(" | ").append(info.help);
    out += " |\n";
  }
}

}  // namespace

std::string_view to_string(MetricType type) {
  switch (type) {
    case MetricType::gauge:
      return "gauge";
    case MetricType::counter:
      return "counter";
    case MetricType::histogram:
      return "histogram";
  }
  return {};
}

std::string_view to_string(Tier tier) {
  switch (tier) {
    case Tier::core:
      return "core";
    case Tier::optional:
      return "optional";
  }
  return {};
}

std::span<const MetricInfo> catalogue() {
  return kCatalogue;
}

const MetricInfo& metric(std::string_view name) {
  const auto* const found = std::find_if(kCatalogue.begin(), kCatalogue.end(),
                                         [&](const MetricInfo& info) { return info.name == name; });
  if (found == kCatalogue.end())
    throw std::logic_error("no metric of this name in the catalogue: " + std::string(name));
  return *found;
}

std::string catalogue_markdown() {
  std::string out(kIntroduction);
  for (const std::string_view section :
       {kKeys, kProbes, kQuota, kUsage, kLimits, kPools, kLogs, kAgent})
    append_section(out, section);
  return out;
}

}  // namespace keyherd::metrics
