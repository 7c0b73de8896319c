#include <algorithm>
#include <array>
#include <vector>

#include "metrics/families.hpp"
#include "metrics/key_series.hpp"
#include "metrics/text_writer.hpp"

namespace keyherd::metrics {

namespace {

void write_quota_amount(TextWriter& out, const QuotaRow& row, std::int64_t amount) {
  constexpr std::size_t kUnitCount = 5;
  static const auto kUnits = labels_of_enum<model::QuotaUnit>(
      "unit", kUnitCount, [](model::QuotaUnit unit) { return to_string(unit); });
  const std::string& unit = kUnits[static_cast<std::size_t>(row.status->unit)];
  if (row.status->unit == model::QuotaUnit::usd)
    out.sample(row.labels, unit, money(amount));
  else
    out.sample(row.labels, unit, amount);
}

// Fewer than three thresholds are the highest levels.
void write_quota_thresholds(TextWriter& out, const QuotaRow& row) {
  constexpr std::size_t kLevelCount = model::kQuotaLevels.size();
  static const auto kLevels = labels_of_enum<std::size_t>(
      "level", kLevelCount, [](std::size_t level) { return model::kQuotaLevels[level]; });
  const std::vector<double>& thresholds = row.status->thresholds;
  const std::size_t count = std::min(thresholds.size(), kLevelCount);
  for (std::size_t i = 0; i < count; ++i)
    out.sample(row.labels, kLevels[kLevelCount - count + i], thresholds[i]);
}

// Beside each balance that has them, so that rules can compare the two.
void write_balance_thresholds(TextWriter& out, const KeyRow& row) {
  if (row.provider == nullptr)
    return;
  const auto& thresholds = row.provider->view->provider.balance_thresholds;
  for (const auto& balance : row.balances) {
    const auto found = thresholds.find(balance.fact->currency);
    if (found == thresholds.end())
      continue;
    if (found->second.critical)
      out.sample(row.labels, balance.label + ",level=\"critical\"", money(*found->second.critical));
    if (found->second.warning)
      out.sample(row.labels, balance.label + ",level=\"warning\"", money(*found->second.warning));
  }
}

constexpr std::array kQuotaFamilies{
    per_quota("keyherd_quota_used_ratio",
              [](TextWriter& out, const QuotaRow& row) {
                out.sample(row.labels, {}, row.status->ratio());
              }),
    per_quota("keyherd_quota_used",
              [](TextWriter& out, const QuotaRow& row) {
                write_quota_amount(out, row, row.status->used);
              }),
    per_quota("keyherd_quota_limit",
              [](TextWriter& out, const QuotaRow& row) {
                write_quota_amount(out, row, row.status->limit);
              }),
    per_quota("keyherd_quota_threshold_ratio", write_quota_thresholds),
    per_quota("keyherd_quota_reset_timestamp_seconds",
              [](TextWriter& out, const QuotaRow& row) {
                if (row.status->resets_at)
                  out.sample(row.labels, {}, timestamp(*row.status->resets_at));
              }),
    per_quota("keyherd_quota_window_seconds",
              [](TextWriter& out, const QuotaRow& row) {
                if (row.status->window_length)
                  out.sample(row.labels, {}, seconds(*row.status->window_length));
              }),
    per_key("keyherd_quota_trust_ratio",
            [](TextWriter& out, const KeyRow& row) {
              if (row.view->trust)
                out.sample(label("key", row.view->key.id), {}, *row.view->trust);
            }),
};

void write_usage_failures(TextWriter& out, const KeyRow& row) {
  static const auto kReasons = labels_of_enum<model::UsageFailure>(
      "reason", model::kUsageFailureCount,
      [](model::UsageFailure reason) { return to_string(reason); });
  for (std::size_t i = 0; i < kReasons.size(); ++i)
    out.sample(row.labels, kReasons[i], row.view->usage_failures[i]);
}

void write_usage_tokens(TextWriter& out, const KeyRow& row) {
  std::string more;
  for (const ModelTotals& model : row.models) {
    out.sample(row.labels, more.assign(model.label).append(",").append(kInput), model.counts.input);
    out.sample(row.labels, more.assign(model.label).append(",").append(kOutput),
               model.counts.output);
  }
}

void write_usage_cost(TextWriter& out, const KeyRow& row) {
  std::string more;
  for (const ModelTotals& model : row.models)
    out.sample(row.labels, more.assign(model.label).append(",").append(kUsd),
               money(model.counts.cost));
}

void write_usage_sum(TextWriter& out, const KeyRow& row, std::int64_t model::UsageCounts::*part) {
  std::int64_t sum = 0;
  for (const ModelTotals& model : row.models)
    sum = model::saturating_add(sum, model.counts.*part);
  out.sample(row.labels, {}, sum);
}

constexpr std::array kUsageFamilies{
    per_key("keyherd_usage_requests_total",
            [](TextWriter& out, const KeyRow& row) {
              for (const ModelTotals& model : row.models)
                out.sample(row.labels, model.label, model.counts.requests);
            }),
    per_key("keyherd_usage_request_failures_total", write_usage_failures),
    per_key("keyherd_usage_tokens_total", write_usage_tokens),
    per_key("keyherd_usage_cached_input_tokens_total",
            [](TextWriter& out, const KeyRow& row) {
              write_usage_sum(out, row, &model::UsageCounts::cached_input);
            }),
    per_key("keyherd_usage_reasoning_output_tokens_total",
            [](TextWriter& out, const KeyRow& row) {
              write_usage_sum(out, row, &model::UsageCounts::reasoning);
            }),
    per_key("keyherd_usage_cost_total", write_usage_cost),
    whole("keyherd_usage_unpriced_requests_total",
          [](TextWriter& out, const Herd& herd) {
            for (const ProviderRow& row : herd.providers)
              out.sample(row.label, {}, row.unpriced);
          }),
    per_key("keyherd_usage_last_record_timestamp_seconds",
            [](TextWriter& out, const KeyRow& row) {
              out.sample(row.labels, {}, timestamp(row.view->last_used_at));
            }),
    whole("keyherd_usage_models_folded_total",
          [](TextWriter& out, const Herd& herd) {
            for (const ProviderRow& row : herd.providers)
              out.sample(row.label, {}, row.folded);
          }),
};

constexpr std::array kLimitFamilies{
    per_key("keyherd_ratelimit_limit",
            [](TextWriter& out, const KeyRow& row) {
              for (const auto& limit : row.rate_limits)
                if (limit.fact->limit > 0)
                  out.sample(row.labels, limit.label, limit.fact->limit);
            }),
    per_key("keyherd_ratelimit_remaining",
            [](TextWriter& out, const KeyRow& row) {
              for (const auto& limit : row.rate_limits)
                out.sample(row.labels, limit.label, limit.fact->remaining);
            }),
    per_key("keyherd_ratelimit_reset_timestamp_seconds",
            [](TextWriter& out, const KeyRow& row) {
              for (const auto& limit : row.rate_limits)
                if (limit.fact->reset_at)
                  out.sample(row.labels, limit.label, timestamp(*limit.fact->reset_at));
            }),
    per_key("keyherd_ratelimit_observed_timestamp_seconds",
            [](TextWriter& out, const KeyRow& row) { known(out, row, row.view->rate_limits_at); }),
    per_key("keyherd_balance_remaining",
            [](TextWriter& out, const KeyRow& row) {
              for (const auto& balance : row.balances)
                out.sample(row.labels, balance.label, money(balance.fact->nanos));
            }),
    per_key("keyherd_balance_threshold", write_balance_thresholds),
    per_key("keyherd_balance_last_success_timestamp_seconds",
            [](TextWriter& out, const KeyRow& row) { known(out, row, row.view->balances_at); }),
    per_key("keyherd_balance_drop_total",
            [](TextWriter& out, const KeyRow& row) {
              for (const model::BalanceRecord& balance : row.view->wallet)
                out.sample(row.labels, label("currency", balance.currency), money(balance.dropped));
            }),
    whole("keyherd_unaccounted_spend",
          [](TextWriter& out, const Herd& herd) {
            for (const SpendRow& row : herd.unaccounted)
              out.sample(row.labels, kUsd, money(row.spend));
          }),
    whole("keyherd_unaccounted_spend_threshold",
          [](TextWriter& out, const Herd& herd) {
            out.sample({}, {}, money(herd.snapshot->agent.unaccounted_spend));
          }),
    whole("keyherd_spend_anomaly_floor_per_hour",
          [](TextWriter& out, const Herd& herd) {
            out.sample({}, {}, money(herd.snapshot->agent.spend_anomaly_floor));
          }),
};

}  // namespace

FamilyTable quota_families() {
  return kQuotaFamilies;
}
FamilyTable usage_families() {
  return kUsageFamilies;
}
FamilyTable limit_families() {
  return kLimitFamilies;
}

}  // namespace keyherd::metrics
