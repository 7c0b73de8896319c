#include <algorithm>
#include <array>
#include <vector>

#include "metrics/families.hpp"
#include "metrics/key_series.hpp"
#include "metrics/text_writer.hpp"

namespace keyherd::metrics {

namespace {

using model::KeyView;

// Two label lists as one, in a buffer that is used again.
std::string_view join(std::string& buffer, std::string_view first, std::string_view second) {
  return buffer.assign(first).append(",").append(second);
}

void write_quota_amounts(TextWriter& out, const Herd& herd,
                         std::int64_t model::QuotaStatus::*part) {
  constexpr std::size_t kUnits = 5;
  const auto units = labels_of_enum<model::QuotaUnit>(
      "unit", kUnits, [](model::QuotaUnit unit) { return to_string(unit); });
  for (const QuotaRow& row : herd.quotas) {
    const std::string& unit = units[static_cast<std::size_t>(row.status->unit)];
    if (row.status->unit == model::QuotaUnit::usd)
      out.sample(row.labels, unit, money(row.status->*part));
    else
      out.sample(row.labels, unit, row.status->*part);
  }
}

// Fewer than three thresholds are the highest levels.
void write_thresholds(TextWriter& out, const Herd& herd) {
  constexpr std::size_t kLevels = model::kQuotaLevels.size();
  const auto levels = labels_of_enum<std::size_t>(
      "level", kLevels, [](std::size_t level) { return model::kQuotaLevels[level]; });
  for (const QuotaRow& row : herd.quotas) {
    const std::vector<double>& thresholds = row.status->thresholds;
    const std::size_t count = std::min(thresholds.size(), kLevels);
    for (std::size_t i = 0; i < count; ++i)
      out.sample(row.labels, levels[kLevels - count + i], thresholds[i]);
  }
}

// Providers state lists; a name that comes twice would spoil the scrape, so the first one counts.
template <class Fact>
std::vector<const Fact*> sorted_unique(const std::vector<Fact>& facts, std::string Fact::*name) {
  std::vector<const Fact*> rows;
  for (const Fact& fact : facts)
    rows.push_back(&fact);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const Fact* a, const Fact* b) { return a->*name < b->*name; });
  rows.erase(std::unique(rows.begin(), rows.end(),
                         [&](const Fact* a, const Fact* b) { return a->*name == b->*name; }),
             rows.end());
  return rows;
}

template <class Write>
void for_each_rate_limit(const Herd& herd, Write write) {
  for (const KeyRow& row : herd.keys)
    for (const auto* limit : sorted_unique(row.view->rate_limits, &model::RateLimit::resource))
      write(row.labels, label("resource", limit->resource), *limit);
}

void write_rate_limits(TextWriter& out, const Herd& herd) {
  out.family("keyherd_ratelimit_limit");
  for_each_rate_limit(herd, [&](const auto& labels, const auto& more, const auto& limit) {
    out.sample(labels, more, limit.limit);
  });
  out.family("keyherd_ratelimit_remaining");
  for_each_rate_limit(herd, [&](const auto& labels, const auto& more, const auto& limit) {
    out.sample(labels, more, limit.remaining);
  });
  out.family("keyherd_ratelimit_reset_timestamp_seconds");
  for_each_rate_limit(herd, [&](const auto& labels, const auto& more, const auto& limit) {
    if (limit.reset_at)
      out.sample(labels, more, timestamp(*limit.reset_at));
  });
  write_known(
      out, "keyherd_ratelimit_observed_timestamp_seconds", herd,
      [](const KeyView& view) -> const auto& { return view.rate_limits_at; });
}

}  // namespace

void write_quotas(TextWriter& out, const Herd& herd) {
  out.family("keyherd_quota_used_ratio");
  for (const QuotaRow& row : herd.quotas)
    out.sample(row.labels, {}, row.status->ratio());
  out.family("keyherd_quota_used");
  write_quota_amounts(out, herd, &model::QuotaStatus::used);
  out.family("keyherd_quota_limit");
  write_quota_amounts(out, herd, &model::QuotaStatus::limit);
  out.family("keyherd_quota_threshold_ratio");
  write_thresholds(out, herd);
  out.family("keyherd_quota_reset_timestamp_seconds");
  for (const QuotaRow& row : herd.quotas)
    if (row.status->resets_at)
      out.sample(row.labels, {}, timestamp(*row.status->resets_at));
  out.family("keyherd_quota_window_seconds");
  for (const QuotaRow& row : herd.quotas)
    if (row.status->window_length)
      out.sample(row.labels, {}, seconds(*row.status->window_length));
}

void write_usage(TextWriter& out, const Herd& herd) {
  out.family("keyherd_usage_requests_total");
  for (const KeyRow& row : herd.keys)
    for (const ModelTotals& model : row.models)
      out.sample(row.labels, model.label, model.counts.requests);
  const auto reasons = labels_of_enum<model::UsageFailure>(
      "reason", model::kUsageFailureCount,
      [](model::UsageFailure reason) { return to_string(reason); });
  out.family("keyherd_usage_request_failures_total");
  for (const KeyRow& row : herd.keys)
    for (std::size_t i = 0; i < reasons.size(); ++i)
      out.sample(row.labels, reasons[i], row.view->usage_failures[i]);
  out.family("keyherd_usage_tokens_total");
  std::string more;
  for (const KeyRow& row : herd.keys)
    for (const ModelTotals& model : row.models) {
      out.sample(row.labels, join(more, model.label, kInput), model.counts.input);
      out.sample(row.labels, join(more, model.label, kOutput), model.counts.output);
    }
  const auto write_sum = [&](std::string_view family, std::int64_t model::UsageCounts::*part) {
    out.family(family);
    for (const KeyRow& row : herd.keys) {
      std::int64_t sum = 0;
      for (const ModelTotals& model : row.models)
        sum = model::saturating_add(sum, model.counts.*part);
      out.sample(row.labels, {}, sum);
    }
  };
  write_sum("keyherd_usage_cached_input_tokens_total", &model::UsageCounts::cached_input);
  write_sum("keyherd_usage_reasoning_output_tokens_total", &model::UsageCounts::reasoning);
  out.family("keyherd_usage_cost_total");
  for (const KeyRow& row : herd.keys)
    for (const ModelTotals& model : row.models)
      out.sample(row.labels, join(more, model.label, kUsd), money(model.counts.cost));
  out.family("keyherd_usage_unpriced_requests_total");
  for (const ProviderRow& row : herd.providers)
    out.sample(row.label, {}, row.unpriced);
  write_each(out, "keyherd_usage_last_record_timestamp_seconds", herd,
             [](const KeyView& view) { return timestamp(view.last_used_at); });
  out.family("keyherd_usage_models_folded_total");
  for (const ProviderRow& row : herd.providers)
    out.sample(row.label, {}, row.folded);
}

void write_limits(TextWriter& out, const Herd& herd) {
  write_rate_limits(out, herd);
  out.family("keyherd_balance_remaining");
  for (const KeyRow& row : herd.keys)
    for (const auto* balance : sorted_unique(row.view->balances, &model::Balance::currency))
      out.sample(row.labels, label("currency", balance->currency), money(balance->nanos));
  write_known(
      out, "keyherd_balance_last_success_timestamp_seconds", herd,
      [](const KeyView& view) -> const auto& { return view.balances_at; });
}

}  // namespace keyherd::metrics
