#include "model/usage.hpp"

#include <algorithm>

#include "base/time_text.hpp"
#include "model/enum_names.hpp"

namespace keyherd::model {

namespace {
constexpr std::array<std::string_view, kRejectReasonCount> kReasons{
    "bad_json", "missing_field", "unknown_key", "bad_value", "too_long", "duplicate", "clock"};
constexpr std::array<std::string_view, kSuspicionCount> kSuspicions{"missing_usage", "cumulative",
                                                                    "clock", "unknown_model"};

__extension__ using Wide128 = __int128;

void accumulate(std::int64_t& sum, std::int64_t value) {
  sum = saturating_add(sum, value);
}

std::int64_t whole(WallTime time, std::chrono::nanoseconds width) {
  const std::int64_t nanos = to_unix_nanos(time);
  const std::int64_t quotient = nanos / width.count();
  return nanos % width.count() < 0 ? quotient - 1 : quotient;
}
}  // namespace

void UsageCounts::add(const UsageCounts& other) {
  accumulate(requests, other.requests);
  accumulate(failed, other.failed);
  accumulate(input, other.input);
  accumulate(cached_input, other.cached_input);
  accumulate(cache_write, other.cache_write);
  accumulate(output, other.output);
  accumulate(reasoning, other.reasoning);
  accumulate(cost, other.cost);
  accumulate(table_cost, other.table_cost);
  accumulate(unpriced, other.unpriced);
  accumulate(latency_ms, other.latency_ms);
  accumulate(latency_count, other.latency_count);
}

void SourceCounts::add(const SourceCounts& other) {
  accumulate(read_bytes, other.read_bytes);
  accumulate(records, other.records);
  for (std::size_t i = 0; i < rejected.size(); ++i)
    accumulate(rejected[i], other.rejected[i]);
  for (std::size_t i = 0; i < suspect.size(); ++i)
    accumulate(suspect[i], other.suspect[i]);
  accumulate(renames, other.renames);
  accumulate(truncations, other.truncations);
  accumulate(read_errors, other.read_errors);
  accumulate(models_folded, other.models_folded);
  accumulate(skipped, other.skipped);
  accumulate(future, other.future);
  accumulate(late, other.late);
  accumulate(lost_bytes, other.lost_bytes);
  accumulate(conflicts, other.conflicts);
}

std::optional<NanoUsd> cost_per_thousand(const UsageCounts& counts) {
  const std::int64_t good = counts.requests - counts.failed;
  if (good <= 0)
    return std::nullopt;
  const Wide128 nanos = (static_cast<Wide128>(counts.cost) * 1000 + good / 2) / good;
  return static_cast<NanoUsd>(std::min<Wide128>(nanos, std::numeric_limits<NanoUsd>::max()));
}

std::int64_t bucket_of(WallTime time) {
  return whole(time, kBucketWidth);
}
WallTime bucket_start(std::int64_t bucket) {
  return WallTime(bucket * kBucketWidth);
}
std::int64_t minute_of(WallTime time) {
  return whole(time, std::chrono::minutes(1));
}

std::string_view to_string(RejectReason reason) {
  return name_of(kReasons, reason);
}

std::string_view to_string(Suspicion suspicion) {
  return name_of(kSuspicions, suspicion);
}

UsageLog make_reports_log() {
  UsageLog log;
  log.id = kReportsLog;
  return log;
}

}  // namespace keyherd::model
