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

void ErrorWindow::add(WallTime now, std::int64_t requests, std::int64_t failed) {
  const std::int64_t minute = model::minute_of(now);
  Slot& slot = slots_[static_cast<std::size_t>(minute) % kMinutes];
  if (slot.minute != minute)
    slot = Slot{minute, 0, 0};
  slot.requests += requests;
  slot.failed += failed;
}

std::optional<double> ErrorWindow::ratio(WallTime now) const {
  const std::int64_t minute = model::minute_of(now);
  std::int64_t requests = 0;
  std::int64_t failed = 0;
  for (const Slot& slot : slots_) {
    if (slot.minute >= 0 && minute - slot.minute >= 0 &&
        minute - slot.minute < static_cast<std::int64_t>(kMinutes)) {
      requests += slot.requests;
      failed += slot.failed;
    }
  }
  if (requests < kEnough)
    return std::nullopt;
  return static_cast<double>(failed) / static_cast<double>(requests);
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
