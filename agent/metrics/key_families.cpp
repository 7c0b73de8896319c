#include <array>
#include <cctype>
#include <map>
#include <vector>

#include "metrics/families.hpp"
#include "metrics/key_series.hpp"
#include "metrics/text_writer.hpp"

namespace keyherd::metrics {

namespace {

void write_key_info(TextWriter& out, const KeyRow& row) {
  std::string more = label("fingerprint", row.view->fingerprint);
  more += ',';
  more += row.provider != nullptr ? row.provider->endpoint : label("endpoint", "");
  more += ',';
  more += label("account", row.view->key.limit_group);
  more += ',';
  more += row.provider != nullptr ? row.provider->model : label("model", "");
  out.sample(row.labels, more, std::int64_t{1});
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

void write_key_labels(TextWriter& out, const KeyRow& row) {
  if (!row.view->key.labels.empty())
    out.sample(label("key", row.view->key.id), user_labels(row.view->key.labels), std::int64_t{1});
}

void write_states(TextWriter& out, const KeyRow& row) {
  static const auto kStates = labels_of_enum<model::KeyState>(
      "state", model::kKeyStateCount, [](model::KeyState state) { return to_string(state); });
  const auto current = static_cast<std::size_t>(row.view->health.state);
  for (std::size_t i = 0; i < kStates.size(); ++i)
    out.sample(row.labels, kStates[i], std::int64_t{i == current});
}

void write_expiry_thresholds(TextWriter& out, const Herd& herd) {
  const model::AgentView& agent = herd.snapshot->agent;
  out.sample({}, "level=\"critical\"", seconds(agent.expiry_critical));
  out.sample({}, "level=\"warning\"", seconds(agent.expiry_warning));
}

void write_endpoints(TextWriter& out, const Herd& herd) {
  for (const ProviderRow& row : herd.providers)
    out.sample(row.label, row.endpoint, std::int64_t{row.view->up});
}

void write_authenticates(TextWriter& out, const Herd& herd) {
  for (const ProviderRow& row : herd.providers)
    if (row.view->authenticates)
      out.sample(row.label, row.endpoint, std::int64_t{*row.view->authenticates});
}

void write_budget_used(TextWriter& out, const Herd& herd) {
  if (const auto& used = herd.snapshot->agent.probe_budget_used)
    out.sample({}, {}, *used);
}

void write_probes(TextWriter& out, const KeyRow& row) {
  static const auto kKinds = labels_of_enum<model::ProbeKind>(
      "probe", model::kProbeKindCount, [](model::ProbeKind kind) { return to_string(kind); });
  for (std::size_t i = 0; i < kKinds.size(); ++i)
    out.sample(row.labels, kKinds[i], row.view->probes.probes[i]);
}

void write_probe_failures(TextWriter& out, const KeyRow& row) {
  static const auto kReasons = labels_of_enum<model::Verdict>(
      "reason", model::kVerdictCount, [](model::Verdict verdict) { return to_string(verdict); });
  for (std::size_t i = 0; i < kReasons.size(); ++i)
    if (static_cast<model::Verdict>(i) != model::Verdict::ok)
      out.sample(row.labels, kReasons[i], row.view->probes.failures[i]);
}

void write_last_duration(TextWriter& out, const KeyRow& row) {
  const auto& last = row.view->last_probe;
  out.sample(row.labels, {}, last ? seconds(last->latency) : Decimal{});
}

void write_last_status(TextWriter& out, const KeyRow& row) {
  const auto& last = row.view->last_probe;
  out.sample(row.labels, {}, std::int64_t{last ? last->http_status : 0});
}

void write_probe_tokens(TextWriter& out, const KeyRow& row) {
  out.sample(row.labels, kInput, row.view->probes.input_tokens);
  out.sample(row.labels, kOutput, row.view->probes.output_tokens);
}

void write_probe_durations(TextWriter& out, const Herd& herd) {
  for (const ProviderRow& row : herd.providers)
    for (std::size_t i = 0; i < model::kProbeKindCount; ++i)
      out.histogram(row.label + "," + label("probe", to_string(static_cast<model::ProbeKind>(i))),
                    row.view->durations[i]);
}

void write_latency_thresholds(TextWriter& out, const Herd& herd) {
  for (const ProviderRow& row : herd.providers)
    if (row.view->provider.probe.latency_limit)
      out.sample(row.label, {}, seconds(*row.view->provider.probe.latency_limit));
}

void write_skipped(TextWriter& out, const Herd& herd) {
  static constexpr std::array<std::string_view, 4> kReasons{"budget", "cooldown", "recent_evidence",
                                                            "disabled"};
  const auto& skipped = herd.snapshot->agent.probes_skipped;
  static_assert(kReasons.size() == std::tuple_size_v<std::remove_cvref_t<decltype(skipped)>>);
  for (std::size_t i = 0; i < kReasons.size(); ++i)
    out.sample({}, label("reason", kReasons[i]), skipped[i]);
}

using Out = TextWriter;
using Row = KeyRow;

constexpr std::array kKeyFamilies{
    per_key("keyherd_key_info", write_key_info),
    per_key("keyherd_key_labels", write_key_labels),
    per_key("keyherd_key_up",
            [](Out& out, const Row& row) {
              out.sample(row.labels, {}, std::int64_t{model::is_usable(row.view->health.state)});
            }),
    per_key("keyherd_key_state", write_states),
    per_key("keyherd_key_state_changed_timestamp_seconds",
            [](Out& out, const Row& row) {
              out.sample(row.labels, {}, timestamp(row.view->health.since));
            }),
    per_key("keyherd_key_cooldown_until_timestamp_seconds",
            [](Out& out, const Row& row) {
              out.sample(row.labels, {}, timestamp(row.view->health.cooldown_until));
            }),
    per_key("keyherd_key_created_timestamp_seconds",
            [](Out& out, const Row& row) { known(out, row, row.view->key.created_at); }),
    per_key("keyherd_key_max_age_seconds",
            [](Out& out, const Row& row) {
              if (row.view->key.max_age)
                out.sample(row.labels, {}, seconds(*row.view->key.max_age));
            }),
    per_key("keyherd_key_expiry_timestamp_seconds",
            [](Out& out, const Row& row) { known(out, row, row.view->key.expires_at); }),
    whole("keyherd_key_expiry_threshold_seconds", write_expiry_thresholds),
    whole("keyherd_endpoint_up", write_endpoints),
    whole("keyherd_endpoint_authenticates", write_authenticates),
};

constexpr std::array kProbeFamilies{
    per_key("keyherd_probes_total", write_probes),
    per_key("keyherd_probe_failures_total", write_probe_failures),
    per_key("keyherd_probe_last_timestamp_seconds",
            [](Out& out, const Row& row) {
              out.sample(row.labels, {}, timestamp(row.view->health.last_probe_at));
            }),
    per_key("keyherd_probe_last_success_timestamp_seconds",
            [](Out& out, const Row& row) {
              out.sample(row.labels, {}, timestamp(row.view->health.last_success_at));
            }),
    per_key("keyherd_probe_last_duration_seconds", write_last_duration),
    per_key("keyherd_probe_last_http_status_code", write_last_status),
    per_key("keyherd_probe_consecutive_failures",
            [](Out& out, const Row& row) {
              out.sample(row.labels, {}, std::int64_t{row.view->health.consecutive_failures});
            }),
    per_key("keyherd_probe_interval_seconds",
            [](Out& out, const Row& row) {
              out.sample(row.labels, {}, seconds(row.view->probe_interval));
            }),
    per_key("keyherd_probe_tokens_total", write_probe_tokens),
    per_key("keyherd_probe_cost_total",
            [](Out& out, const Row& row) {
              out.sample(row.labels, kUsd, money(row.view->probes.cost));
            }),
    whole("keyherd_probe_duration_seconds", write_probe_durations),
    whole("keyherd_probe_latency_threshold_seconds", write_latency_thresholds),
    whole("keyherd_probes_skipped_total", write_skipped),
    whole(
        "keyherd_probe_schedule_delay_seconds",
        [](Out& out, const Herd& herd) { out.histogram({}, herd.snapshot->agent.schedule_delay); }),
    whole("keyherd_probes_in_flight",
          [](Out& out, const Herd& herd) {
            out.sample({}, {}, herd.snapshot->agent.probes_in_flight);
          }),
    whole("keyherd_probe_queue_length",
          [](Out& out, const Herd& herd) { out.sample({}, {}, herd.snapshot->agent.probe_queue); }),
    whole("keyherd_probe_budget_used_ratio", write_budget_used),
};

}  // namespace

FamilyTable key_families() {
  return kKeyFamilies;
}
FamilyTable probe_families() {
  return kProbeFamilies;
}

}  // namespace keyherd::metrics
