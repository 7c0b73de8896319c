#include "config/diff.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace keyherd::config {

namespace {

class Changes {
 public:
  void compare(std::string_view field, bool is_equal) {
    if (!is_equal)
      lines_.push_back(prefix_ + std::string(field) + ": changed");
  }
  void add(const std::string& path, std::string_view what) {
    lines_.push_back(path + ": " + std::string(what));
  }
  void enter(std::string prefix) { prefix_ = std::move(prefix) + "."; }
  std::vector<std::string> take() { return std::move(lines_); }

 private:
  std::string prefix_;
  std::vector<std::string> lines_;
};

void compare(const AgentSettings& a, const AgentSettings& b, Changes& changes) {
  changes.enter("agent");
  changes.compare("key_files", a.key_files == b.key_files);
  changes.compare("drop_metrics", a.drop_metrics == b.drop_metrics);
  changes.compare("keep_evidence", a.keep_evidence == b.keep_evidence);
  changes.compare("timezone", a.timezone == b.timezone);
  changes.compare("keep_quarter_hours", a.keep_quarter_hours == b.keep_quarter_hours);
  changes.compare("keep_hours", a.keep_hours == b.keep_hours);
  changes.compare("unaccounted_spend", a.unaccounted_spend == b.unaccounted_spend);
  changes.compare("spend_anomaly_floor", a.spend_anomaly_floor == b.spend_anomaly_floor);
  changes.compare("keep_usage", a.keep_usage == b.keep_usage);
  changes.compare("listen", std::tie(a.listen_address, a.listen_port) ==
                                std::tie(b.listen_address, b.listen_port));
  changes.compare("log_format", a.log_format == b.log_format);
  changes.compare("log_level", a.log_level == b.log_level);
  changes.compare("keep_request_ids", a.keep_request_ids == b.keep_request_ids);
  changes.compare("audit", a.audit == b.audit);
  changes.compare("audit_max_bytes", a.audit_max_bytes == b.audit_max_bytes);
  changes.compare("master_key", a.master_key == b.master_key);
  changes.compare("max_request_ids", a.max_request_ids == b.max_request_ids);
  changes.compare("price_file", a.price_file == b.price_file);
  changes.compare("probe_budget_tokens", a.probe_budget_tokens == b.probe_budget_tokens);
  changes.compare("probe_budget_usd", a.probe_budget_usd == b.probe_budget_usd);
  changes.compare("probe_workers", a.probe_workers == b.probe_workers);
  changes.compare("shutdown_timeout", a.shutdown_timeout == b.shutdown_timeout);
  changes.compare("state", a.state == b.state);
}

void compare(const model::ProbeSettings& a, const model::ProbeSettings& b, Changes& changes) {
  changes.compare("probe.confirm_after", a.confirm_after == b.confirm_after);
  changes.compare("probe.control_every", a.control_every == b.control_every);
  changes.compare("probe.every", a.every == b.every);
  changes.compare("probe.failures_to_dead", a.failures_to_dead == b.failures_to_dead);
  changes.compare("probe.jitter", a.jitter == b.jitter);
  changes.compare("probe.latency_limit", a.latency_limit == b.latency_limit);
  changes.compare("probe.limit_field", a.limit_field == b.limit_field);
  changes.compare("probe.limit_tokens", a.limit_tokens == b.limit_tokens);
  changes.compare("probe.method", a.method == b.method);
  changes.compare("probe.min_spacing", a.min_spacing == b.min_spacing);
  changes.compare("probe.model", a.model == b.model);
  changes.compare("probe.paid_every", a.paid_every == b.paid_every);
  changes.compare("probe.paths", a.paths == b.paths);
  changes.compare("probe.successes_to_healthy", a.successes_to_healthy == b.successes_to_healthy);
  changes.compare("probe.timeout", a.timeout == b.timeout);
}

void compare(const model::Provider& a, const model::Provider& b, Changes& changes) {
  changes.compare("auth_header", a.auth_header == b.auth_header);
  changes.compare("auth_prefix", a.auth_prefix == b.auth_prefix);
  changes.compare("balance_thresholds", a.balance_thresholds == b.balance_thresholds);
  changes.compare("base_url", a.base_url == b.base_url);
  changes.compare("ca_file", a.ca_file == b.ca_file);
  changes.compare("currency", a.billed_in == b.billed_in);
  changes.compare("headers", a.headers == b.headers);
  changes.compare("prices", a.prices == b.prices);
  compare(a.probe, b.probe, changes);
  changes.compare("rules", a.rules == b.rules);
  changes.compare("type", a.type == b.type);
}

void compare(const model::Key& a, const model::Key& b, Changes& changes) {
  changes.compare("created_at", a.created_at == b.created_at);
  changes.compare("expires_at", a.expires_at == b.expires_at);
  changes.compare("max_age", a.max_age == b.max_age);
  changes.compare("labels", a.labels == b.labels);
  changes.compare("managed", a.managed == b.managed);
  changes.compare("provider_key_id", a.provider_key_id == b.provider_key_id);
  changes.compare("limit_group", a.limit_group == b.limit_group);
  changes.compare("priority", a.priority == b.priority);
  changes.compare("provider", a.provider == b.provider);
  changes.compare("quotas", a.quotas == b.quotas);
  changes.compare("secret", a.secret == b.secret);
}

void compare(const model::LimitGroup& a, const model::LimitGroup& b, Changes& changes) {
  changes.compare("quotas", a.quotas == b.quotas);
}

void compare(const model::Quota& a, const model::Quota& b, Changes& changes) {
  changes.compare("limit", a.limit == b.limit);
  changes.compare("resets_at", a.anchor_day == b.anchor_day && a.anchor_time == b.anchor_time);
  changes.compare("thresholds", a.thresholds == b.thresholds);
  changes.compare("timezone", a.timezone == b.timezone);
  changes.compare("unit", a.unit == b.unit);
  changes.compare("window", a.window == b.window && a.rolling == b.rolling);
}

void compare(const model::Issuer& a, const model::Issuer& b, Changes& changes) {
  changes.compare("admin_secret", a.admin_secret == b.admin_secret);
  changes.compare("base_url", a.base_url == b.base_url);
  changes.compare("command", a.command == b.command);
  changes.compare("owner", a.owner == b.owner);
  changes.compare("request", a.request == b.request);
  changes.compare("timeout", a.timeout == b.timeout);
  changes.compare("type", a.type == b.type);
}

void compare(const model::Pool& a, const model::Pool& b, Changes& changes) {
  changes.compare("catch_up", a.catch_up == b.catch_up);
  changes.compare("catch_up_window", a.catch_up_window == b.catch_up_window);
  changes.compare("freeze", a.freeze == b.freeze);
  changes.compare("adopt_within", a.adopt_within == b.adopt_within);
  changes.compare("issuer", a.issuer == b.issuer);
  changes.compare("keys", a.keys == b.keys);
  changes.compare("max_error_ratio", a.max_error_ratio == b.max_error_ratio);
  changes.compare("min_available", a.min_available == b.min_available);
  changes.compare("min_remaining", a.min_remaining == b.min_remaining);
  changes.compare("min_stay", a.min_stay == b.min_stay);
  changes.compare("mode", a.mode == b.mode);
  changes.compare("overlap", a.overlap == b.overlap);
  changes.compare("publish", a.publish == b.publish);
  changes.compare("ramp", a.ramp == b.ramp);
  changes.compare("recovery_wait", a.recovery_wait == b.recovery_wait);
  changes.compare("quiet_for", a.quiet_for == b.quiet_for);
  changes.compare("rotate_on", a.rotate_on == b.rotate_on);
  changes.compare("rotations_per_hour", a.rotations_per_hour == b.rotations_per_hour);
  changes.compare("schedule", a.schedule == b.schedule);
  changes.compare("schedule_jitter", a.schedule_jitter == b.schedule_jitter);
  changes.compare("settle_within", a.settle_within == b.settle_within);
  changes.compare("slo_objective", a.slo_objective == b.slo_objective);
  changes.compare("strategy", a.strategy == b.strategy);
  changes.compare("timezone", a.timezone == b.timezone);
  changes.compare("valid_for", a.valid_for == b.valid_for);
}

void compare(const model::UsageLog& a, const model::UsageLog& b, Changes& changes) {
  changes.compare("dedup", a.dedup == b.dedup);
  changes.compare("fields", a.fields == b.fields);
  changes.compare("format", a.format == b.format);
  changes.compare("idle_after", a.idle_after == b.idle_after);
  changes.compare("key_names", a.key_names == b.key_names);
  changes.compare("lag_threshold_bytes", a.lag_threshold_bytes == b.lag_threshold_bytes);
  changes.compare("max_line_bytes", a.max_line_bytes == b.max_line_bytes);
  changes.compare("only", a.only == b.only);
  changes.compare("path", a.path == b.path);
  changes.compare("read_gz", a.read_gz == b.read_gz);
  changes.compare("start_at_end", a.start_at_end == b.start_at_end);
  changes.compare("status_words", a.status_words == b.status_words);
  changes.compare("units", a.units == b.units);
}

// Both lists are sorted by id.
template <class T>
void compare_lists(std::string_view section, const std::vector<T>& before,
                   const std::vector<T>& after, Changes& changes) {
  const auto path = [&](const T& item) { return std::string(section) + "." + item.id; };
  auto a = before.begin();
  auto b = after.begin();
  while (a != before.end() || b != after.end()) {
    if (b == after.end() || (a != before.end() && a->id < b->id)) {
      changes.add(path(*a++), "removed");
    } else if (a == before.end() || b->id < a->id) {
      changes.add(path(*b++), "added");
    } else {
      changes.enter(path(*a));
      compare(*a++, *b++, changes);
    }
  }
}

// Tokens have no ids: the list is compared as a whole.
bool same_tokens(const std::vector<WebToken>& before, const std::vector<WebToken>& after) {
  return std::equal(before.begin(), before.end(), after.begin(), after.end(),
                    [](const WebToken& a, const WebToken& b) {
                      return std::tie(a.role, a.pools, a.token, a.name) ==
                             std::tie(b.role, b.pools, b.token, b.name);
                    });
}

}  // namespace

std::vector<std::string> describe_changes(const Config& before, const Config& after) {
  Changes changes;
  compare(before.agent, after.agent, changes);
  compare_lists("issuers", before.issuers, after.issuers, changes);
  compare_lists("keys", before.keys, after.keys, changes);
  compare_lists("limit_groups", before.limit_groups, after.limit_groups, changes);
  compare_lists("pools", before.pools, after.pools, changes);
  compare_lists("providers", before.providers, after.providers, changes);
  compare_lists("quotas", before.quotas, after.quotas, changes);
  compare_lists("usage_logs", before.usage_logs, after.usage_logs, changes);
  if (before.notify != after.notify)
    changes.add("notify", "changed");
  changes.enter("web");
  changes.compare("basic_auth_users", before.users == after.users);
  changes.compare("hosts", before.hosts == after.hosts);
  changes.compare("tls", before.tls == after.tls);
  changes.compare("tokens", same_tokens(before.tokens, after.tokens));
  return changes.take();
}

std::string needs_restart(const AgentSettings& before, const AgentSettings& after) {
  if (before.listen_address != after.listen_address || before.listen_port != after.listen_port)
    return "agent.listen";
  if (before.state != after.state)
    return "agent.state";
  if (before.audit != after.audit || before.audit_max_bytes != after.audit_max_bytes)
    return "agent.audit";
  if (before.drop_metrics != after.drop_metrics)
    return "agent.drop_metrics";
  if (before.max_request_ids != after.max_request_ids ||
      before.keep_request_ids != after.keep_request_ids)
    return "agent.max_request_ids";
  if (before.master_key != after.master_key)
    return "agent.master_key";
  return before.probe_workers != after.probe_workers ? "agent.probe_workers" : "";
}

}  // namespace keyherd::config
