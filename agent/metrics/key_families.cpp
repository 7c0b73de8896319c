#include <array>
#include <cctype>
#include <map>
#include <vector>

#include "metrics/families.hpp"
#include "metrics/key_series.hpp"
#include "metrics/text_writer.hpp"

namespace keyherd::metrics {

namespace {

using model::KeyView;

void write_key_info(TextWriter& out, const Herd& herd) {
  std::map<std::string_view, std::string> endpoints;
  std::map<std::string_view, std::string> models;
  for (const ProviderRow& row : herd.providers) {
    endpoints[row.view->provider.id] = row.endpoint;
    models[row.view->provider.id] = label("model", row.view->provider.probe.model);
  }
  out.family("keyherd_key_info");
  std::string more;
  for (const KeyRow& row : herd.keys) {
    const model::Key& key = row.view->key;
    const auto endpoint = endpoints.find(key.provider);
    const bool known = endpoint != endpoints.end();
    more = label("fingerprint", row.view->fingerprint);
    more += ',';
    more += known ? endpoint->second : label("endpoint", "");
    more += ',';
    more += label("account", key.limit_group);
    more += ',';
    more += known ? models[key.provider] : label("model", "");
    out.sample(row.labels, more, std::int64_t{1});
  }
}

// A label name made of a user's own: letters, digits and underscores. Two that become equal are
// told apart by a number, as kube-state-metrics does.
std::string user_labels(const std::map<std::string, std::string>& labels) {
  std::map<std::string, std::string> named;
  for (const auto& [name, value] : labels) {
    std::string clean = "label_";
    for (const char c : name)
      clean += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    std::string unique = clean;
    for (int i = 1; named.contains(unique); ++i)
      unique = clean + "_conflict" + std::to_string(i);
    named[unique] = value;
  }
  std::string out;
  for (const auto& [name, value] : named)
    out.append(out.empty() ? "" : ",").append(label(name, value));
  return out;
}

void write_key_labels(TextWriter& out, const Herd& herd) {
  out.family("keyherd_key_labels");
  for (const KeyRow& row : herd.keys)
    if (!row.view->key.labels.empty())
      out.sample(label("key", row.view->key.id), user_labels(row.view->key.labels),
                 std::int64_t{1});
}

void write_states(TextWriter& out, const Herd& herd) {
  const auto states = labels_of_enum<model::KeyState>(
      "state", model::kKeyStateCount, [](model::KeyState state) { return to_string(state); });
  out.family("keyherd_key_state");
  for (const KeyRow& row : herd.keys) {
    const auto current = static_cast<std::size_t>(row.view->health.state);
    for (std::size_t i = 0; i < states.size(); ++i)
      out.sample(row.labels, states[i], std::int64_t{i == current});
  }
}

void write_expiry_thresholds(TextWriter& out, const model::AgentView& agent) {
  out.family("keyherd_key_expiry_threshold_seconds");
  out.sample({}, "level=\"critical\"", seconds(agent.expiry_critical));
  out.sample({}, "level=\"warning\"", seconds(agent.expiry_warning));
}

void write_probe_counts(TextWriter& out, const Herd& herd) {
  const auto kinds = labels_of_enum<model::ProbeKind>(
      "probe", model::kProbeKindCount, [](model::ProbeKind kind) { return to_string(kind); });
  out.family("keyherd_probes_total");
  for (const KeyRow& row : herd.keys)
    for (std::size_t i = 0; i < kinds.size(); ++i)
      out.sample(row.labels, kinds[i], row.view->probes.probes[i]);

  const auto reasons = labels_of_enum<model::Verdict>(
      "reason", model::kVerdictCount, [](model::Verdict verdict) { return to_string(verdict); });
  out.family("keyherd_probe_failures_total");
  for (const KeyRow& row : herd.keys)
    for (std::size_t i = 0; i < reasons.size(); ++i)
      if (static_cast<model::Verdict>(i) != model::Verdict::ok)
        out.sample(row.labels, reasons[i], row.view->probes.failures[i]);
}

void write_last_probes(TextWriter& out, const Herd& herd) {
  write_each(out, "keyherd_probe_last_timestamp_seconds", herd,
             [](const KeyView& view) { return timestamp(view.health.last_probe_at); });
  write_each(out, "keyherd_probe_last_success_timestamp_seconds", herd,
             [](const KeyView& view) { return timestamp(view.health.last_success_at); });
  write_each(out, "keyherd_probe_last_duration_seconds", herd, [](const KeyView& view) {
    return view.last_probe ? seconds(view.last_probe->latency) : Decimal{};
  });
  write_each(out, "keyherd_probe_last_http_status_code", herd, [](const KeyView& view) {
    return std::int64_t{view.last_probe ? view.last_probe->http_status : 0};
  });
  write_each(out, "keyherd_probe_consecutive_failures", herd,
             [](const KeyView& view) { return std::int64_t{view.health.consecutive_failures}; });
  write_each(out, "keyherd_probe_interval_seconds", herd,
             [](const KeyView& view) { return seconds(view.probe_interval); });
}

void write_probe_spending(TextWriter& out, const Herd& herd) {
  out.family("keyherd_probe_tokens_total");
  for (const KeyRow& row : herd.keys) {
    out.sample(row.labels, kInput, row.view->probes.input_tokens);
    out.sample(row.labels, kOutput, row.view->probes.output_tokens);
  }
  out.family("keyherd_probe_cost_total");
  for (const KeyRow& row : herd.keys)
    out.sample(row.labels, kUsd, money(row.view->probes.cost));
}

void write_probe_durations(TextWriter& out, const Herd& herd) {
  out.family("keyherd_probe_duration_seconds");
  for (const ProviderRow& row : herd.providers)
    for (std::size_t i = 0; i < model::kProbeKindCount; ++i)
      out.histogram(row.label + "," + label("probe", to_string(static_cast<model::ProbeKind>(i))),
                    row.view->durations[i]);
  out.family("keyherd_probe_latency_threshold_seconds");
  for (const ProviderRow& row : herd.providers)
    if (row.view->provider.probe.latency_limit)
      out.sample(row.label, {}, seconds(*row.view->provider.probe.latency_limit));
}

void write_probe_queue(TextWriter& out, const model::AgentView& agent) {
  static constexpr std::array<std::string_view, 4> kReasons{"budget", "cooldown", "recent_evidence",
                                                            "disabled"};
  static_assert(kReasons.size() == std::tuple_size_v<decltype(agent.probes_skipped)>);
  out.family("keyherd_probes_skipped_total");
  for (std::size_t i = 0; i < kReasons.size(); ++i)
    out.sample({}, label("reason", kReasons[i]), agent.probes_skipped[i]);
  out.family("keyherd_probe_schedule_delay_seconds");
  out.histogram({}, agent.schedule_delay);
  out.family("keyherd_probes_in_flight");
  out.sample({}, {}, agent.probes_in_flight);
  out.family("keyherd_probe_queue_length");
  out.sample({}, {}, agent.probe_queue);
}

}  // namespace

void write_keys(TextWriter& out, const Herd& herd) {
  write_key_info(out, herd);
  write_key_labels(out, herd);
  write_each(out, "keyherd_key_up", herd,
             [](const KeyView& view) { return std::int64_t{model::is_usable(view.health.state)}; });
  write_states(out, herd);
  write_each(out, "keyherd_key_state_changed_timestamp_seconds", herd,
             [](const KeyView& view) { return timestamp(view.health.since); });
  write_each(out, "keyherd_key_cooldown_until_timestamp_seconds", herd,
             [](const KeyView& view) { return timestamp(view.health.cooldown_until); });
  write_known(
      out, "keyherd_key_created_timestamp_seconds", herd,
      [](const KeyView& view) -> const auto& { return view.key.created_at; });
  write_known(
      out, "keyherd_key_expiry_timestamp_seconds", herd,
      [](const KeyView& view) -> const auto& { return view.key.expires_at; });
  write_expiry_thresholds(out, herd.snapshot->agent);
  out.family("keyherd_endpoint_up");
  for (const ProviderRow& row : herd.providers)
    out.sample(row.label, row.endpoint, std::int64_t{row.view->up});
}

void write_probes(TextWriter& out, const Herd& herd) {
  write_probe_counts(out, herd);
  write_last_probes(out, herd);
  write_probe_spending(out, herd);
  write_probe_durations(out, herd);
  write_probe_queue(out, herd.snapshot->agent);
}

}  // namespace keyherd::metrics
