#include "engine/key_record.hpp"

#include "store/store.hpp"

namespace keyherd::engine {

namespace {

template <class T>
void keep_newest(std::deque<T>& list, const T& item) {
  list.push_front(item);
  if (list.size() > store::kRecentPerKey)
    list.pop_back();
}

// Whether a verdict speaks of the key at all.
bool concerns_key(model::Verdict verdict) {
  switch (model::info(verdict).kind) {
    case model::VerdictClass::good:
    case model::VerdictClass::auth:
    case model::VerdictClass::quota:
      return true;
    case model::VerdictClass::rate:
    case model::VerdictClass::provider:
    case model::VerdictClass::request:
      return false;
  }
  return false;
}

}  // namespace

void RecentRequests::add(WallTime now, const model::UsageCounts& counts) {
  const std::int64_t minute = model::minute_of(now);
  Slot& slot = slots_[static_cast<std::size_t>(minute) % kMinutes];
  if (slot.minute != minute)
    slot = Slot{.minute = minute};
  slot.requests += counts.requests;
  slot.failed += counts.failed;
  slot.latency_ms += counts.latency_ms;
  slot.latency_count += counts.latency_count;
}

RecentRequests::Slot RecentRequests::sum(WallTime now) const {
  const std::int64_t minute = model::minute_of(now);
  Slot sum{.minute = minute};
  for (const Slot& slot : slots_) {
    if (slot.minute < 0 || minute < slot.minute ||
        minute - slot.minute >= static_cast<std::int64_t>(kMinutes))
      continue;
    sum.requests += slot.requests;
    sum.failed += slot.failed;
    sum.latency_ms += slot.latency_ms;
    sum.latency_count += slot.latency_count;
  }
  return sum;
}

std::optional<double> RecentRequests::error_ratio(WallTime now) const {
  const Slot recent = sum(now);
  if (recent.requests < kEnough)
    return std::nullopt;
  return static_cast<double>(recent.failed) / static_cast<double>(recent.requests);
}

std::optional<std::chrono::nanoseconds> RecentRequests::latency(WallTime now) const {
  const Slot recent = sum(now);
  if (recent.latency_count == 0)
    return std::nullopt;
  return std::chrono::microseconds(recent.latency_ms * 1000 / recent.latency_count);
}

void KeyRecord::record(const model::Evidence& evidence) {
  keep_newest(recent, evidence);
  if (concerns_key(evidence.verdict))
    verified = evidence.verdict == model::Verdict::ok;
  if (evidence.verdict == model::Verdict::ok)
    last_ok_at = std::max(last_ok_at.value_or(evidence.at), evidence.at);
  if (!evidence.probe)
    return;
  last_probe = evidence;
  count_probe(evidence);
  if (!evidence.balances.empty()) {
    balances = evidence.balances;
    balances_at = evidence.at;
  }
  if (!evidence.rate_limits.empty()) {
    rate_limits = evidence.rate_limits;
    rate_limits_at = evidence.at;
  }
}

void KeyRecord::count_probe(const model::Evidence& evidence) {
  ++probes.probes[static_cast<std::size_t>(*evidence.probe)];
  if (evidence.verdict != model::Verdict::ok)
    ++probes.failures[static_cast<std::size_t>(evidence.verdict)];
  probes.input_tokens = model::saturating_add(probes.input_tokens, evidence.input_tokens);
  probes.output_tokens = model::saturating_add(probes.output_tokens, evidence.output_tokens);
  probes.cost = model::saturating_add(probes.cost, evidence.cost);
}

void KeyRecord::record(const model::StateChange& change) {
  keep_newest(changes, change);
}

}  // namespace keyherd::engine
