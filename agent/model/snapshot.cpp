#include "model/snapshot.hpp"

#include <algorithm>

#include "model/enum_names.hpp"

namespace keyherd::model {

namespace {
constexpr std::array<std::string_view, kUsageFailureCount> kUsageFailureNames{
    "auth", "quota", "rate_limited", "client_error", "server_error", "network"};
}  // namespace

std::string_view to_string(UsageFailure reason) {
  return name_of(kUsageFailureNames, reason);
}

UsageFailure usage_failure_from_status(int http_status) {
  switch (info(verdict_from_status(http_status)).kind) {
    case VerdictClass::auth:
      return UsageFailure::auth;
    case VerdictClass::quota:
      return UsageFailure::quota;
    case VerdictClass::rate:
      return UsageFailure::rate_limited;
    case VerdictClass::provider:
      return http_status == 0 ? UsageFailure::network : UsageFailure::server_error;
    case VerdictClass::good:
    case VerdictClass::request:
      return UsageFailure::client_error;
  }
  return UsageFailure::client_error;
}

HistogramView make_histogram(std::vector<double> bounds) {
  std::vector<std::uint64_t> buckets(bounds.size() + 1);
  return {std::move(bounds), std::move(buckets), 0};
}

void observe(HistogramView& histogram, double seconds) {
  for (std::size_t i = 0; i < histogram.bounds.size(); ++i)
    histogram.buckets[i] += seconds <= histogram.bounds[i] ? 1 : 0;
  ++histogram.buckets.back();
  histogram.sum += seconds;
}

const KeyView* find_key(const Snapshot& snapshot, std::string_view id) {
  return snapshot.keys.find(id);
}

const PoolView* find_pool(const Snapshot& snapshot, std::string_view id) {
  const auto found = std::lower_bound(
      snapshot.pools.begin(), snapshot.pools.end(), id,
      [](const auto& view, std::string_view wanted) { return view->pool.id < wanted; });
  return found != snapshot.pools.end() && (*found)->pool.id == id ? found->get() : nullptr;
}

}  // namespace keyherd::model
