#include "engine/key_record.hpp"

#include <algorithm>

#include "base/time_text.hpp"

namespace keyherd::engine {

std::optional<WallTime> KeyRecord::expires_at() const {
  if (!key.expires_at || !secret_expires_at)
    return key.expires_at ? key.expires_at : secret_expires_at;
  return std::min(*key.expires_at, *secret_expires_at);
}

namespace {

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

void KeyRecord::record(const model::Evidence& evidence) {
  last_verdict = evidence.verdict;
  if (concerns_key(evidence.verdict))
    verified = evidence.verdict == model::Verdict::ok;
  if (evidence.verdict == model::Verdict::ok)
    last_ok_at = std::max(last_ok_at.value_or(evidence.at), evidence.at);
  if (evidence.verdict == model::Verdict::ok && evidence.source == model::EvidenceSource::usage_log)
    served_at = std::max(served_at.value_or(evidence.at), evidence.at);
  if (!evidence.probe)
    return;
  last_probe = {evidence.http_status, evidence.latency};
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

std::vector<model::BalanceDrop> KeyRecord::compare_balances(const model::Evidence& evidence) {
  std::vector<model::BalanceDrop> drops;
  for (const model::Balance& balance : evidence.balances) {
    model::BalanceRecord& last = wallet[balance.currency];
    if (evidence.at <= last.at)
      continue;  // a look that was overtaken, or the same currency again
    const bool known = last.at != WallTime{};
    const std::int64_t fall = known ? model::saturating_sub(last.nanos, balance.nanos) : 0;
    if (fall > 0) {
      last.dropped = model::saturating_add(last.dropped, fall);
      drops.push_back({key.id, balance.currency, model::bucket_of(evidence.at), fall,
                       std::max<model::NanoUsd>(0, probes.cost - probe_cost_at_look), last.at});
    }
    last.key = key.id;
    last.currency = balance.currency;
    last.nanos = balance.nanos;
    last.at = evidence.at;
  }
  if (!evidence.balances.empty())
    probe_cost_at_look = probes.cost;
  return drops;
}

void KeyRecord::forget_balances() {
  for (auto& [currency, last] : wallet)
    last.at = WallTime{};
}

void KeyRecord::count_probe(const model::Evidence& evidence) {
  ++probes.probes[static_cast<std::size_t>(*evidence.probe)];
  if (*evidence.probe == model::ProbeKind::chat)
    probes.paid_at = std::max(probes.paid_at, to_unix_nanos(evidence.at));
  if (evidence.verdict != model::Verdict::ok)
    ++probes.failures[static_cast<std::size_t>(evidence.verdict)];
  probes.input_tokens = model::saturating_add(probes.input_tokens, evidence.input_tokens);
  probes.output_tokens = model::saturating_add(probes.output_tokens, evidence.output_tokens);
  probes.cost = model::saturating_add(probes.cost, evidence.cost);
}

}  // namespace keyherd::engine
