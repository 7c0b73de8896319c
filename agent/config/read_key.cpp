#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "config/sections.hpp"
#include "config/values.hpp"

namespace keyherd::config {

namespace {

// The limit in the unit's smallest part: whole tokens or requests, or nano-USD.
std::optional<std::int64_t> read_limit(const TableReader& reader, model::QuotaUnit unit) {
  const Node* node = reader.find("limit");
  if (node == nullptr)
    return std::nullopt;
  const bool is_money = unit == model::QuotaUnit::usd;
  const auto* whole = std::get_if<std::int64_t>(&node->value);
  const auto* real = std::get_if<double>(&node->value);
  const bool is_text = std::holds_alternative<std::string>(node->value);
  if ((whole != nullptr && *whole <= 0) || (real != nullptr && !(*real > 0))) {
    reader.error("limit", "must be above 0");
  } else if (is_money && (whole != nullptr || real != nullptr || is_text)) {
    const auto nanos = reader.usd("limit");
    if (!nanos || *nanos > 0)
      return nanos;
    reader.error("limit", "must be above 0");
  } else if (whole != nullptr) {
    return *whole;
  } else if (real != nullptr) {
    reader.error("limit", fmt::format("{} are counted in whole numbers", model::to_string(unit)));
  } else {
    reader.error("limit", fmt::format("expected a number, found {}", describe_kind(*node)));
  }
  return std::nullopt;
}

std::vector<double> read_thresholds(const TableReader& reader, std::vector<double> fallback) {
  auto thresholds = reader.ratios("thresholds");
  if (!thresholds)
    return fallback;
  if (thresholds->size() > model::kQuotaLevels.size())
    reader.error("thresholds", "at most three: info, warning and critical");
  for (std::size_t i = 0; i < thresholds->size(); ++i) {
    const double before = i == 0 ? 0.0 : (*thresholds)[i - 1];
    if ((*thresholds)[i] <= before) {
      reader.error("thresholds", "must be above 0 and ascending, such as [0.70, 0.85, 0.95]");
      break;
    }
  }
  return std::move(*thresholds);
}

}  // namespace

void read_key(const std::string& id, const TableReader& reader, Spec& spec) {
  constexpr std::size_t kMaxLabels = 16;
  check_id(id, reader);
  model::Key key;
  key.id = id;
  key.provider = reader.reference("provider", Target::provider).value_or("");
  key.secret = reader.secret("secret").value_or(model::SecretRef());
  key.limit_group = reader.id("limit_group").value_or("");
  key.priority = static_cast<int>(reader.integer("priority").value_or(key.priority));
  key.quotas = reader.references("quotas", Target::quota).value_or(key.quotas);
  key.labels = reader.text_map("labels", check_label);
  if (key.labels.size() > kMaxLabels)
    reader.error("labels", "a key has at most 16 labels");
  key.provider_key_id = reader.text("provider_key_id").value_or("");
  key.managed = reader.boolean("managed").value_or(false);
  key.created_at = reader.time("created_at");
  key.expires_at = reader.time("expires_at");
  if (key.created_at && key.expires_at && *key.expires_at <= *key.created_at)
    reader.error("expires_at", "must be later than created_at");
  key.max_age = reader.duration("max_age");
  if (key.max_age && !key.created_at)
    reader.error("max_age", "needs created_at: the age is counted from it");
  spec.key_places.push_back(reader.place());
  spec.config.keys.push_back(std::move(key));
}

void read_quota(const std::string& id, const TableReader& reader, Spec& spec) {
  check_id(id, reader);
  model::Quota quota;
  quota.id = id;
  quota.unit =
      reader.choice<model::QuotaUnit>("unit", model::quota_unit_from_string).value_or(quota.unit);
  quota.limit = read_limit(reader, quota.unit).value_or(quota.limit);
  if (const auto written = reader.text("window")) {
    const auto window = parse_window(*written);
    if (window) {
      quota.window = window->kind;
      quota.rolling = window->rolling;
    } else {
      reader.error("window", window.error().message);
    }
  }
  if (const auto written = reader.text("resets_at")) {
    const auto anchor = parse_resets_at(*written, quota.window);
    if (anchor) {
      quota.anchor_day = anchor->day;
      quota.anchor_time = anchor->time;
    } else {
      reader.error("resets_at", anchor.error().message);
    }
  }
  quota.timezone = reader.timezone("timezone").value_or(quota.timezone);
  quota.thresholds = read_thresholds(reader, quota.thresholds);
  spec.quota_places.push_back(reader.place());
  spec.config.quotas.push_back(std::move(quota));
}

void read_limit_group(const std::string& id, const TableReader& reader, Spec& spec) {
  check_id(id, reader);
  model::LimitGroup group;
  group.id = id;
  group.quotas = reader.references("quotas", Target::quota).value_or(group.quotas);
  spec.limit_group_places.push_back(reader.place());
  spec.config.limit_groups.push_back(std::move(group));
}

}  // namespace keyherd::config
