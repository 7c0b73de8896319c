#pragma once

// What was observed about a key, by whom and when: the only thing that changes beliefs.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "model/money.hpp"
#include "model/verdict.hpp"

namespace keyherd::model {

enum class EvidenceSource { probe, usage_log, report, command };
std::string_view to_string(EvidenceSource source);
std::optional<EvidenceSource> evidence_source_from_string(std::string_view name);

// Label `probe` of keyherd_probes_total.
enum class ProbeKind { models, balance, chat, auth };
inline constexpr std::size_t kProbeKindCount = 4;
std::string_view to_string(ProbeKind kind);
std::optional<ProbeKind> probe_kind_from_string(std::string_view name);

struct Balance {
  std::string currency;    // ISO 4217
  std::int64_t nanos = 0;  // 10⁻⁹ of the currency; may be negative
};

// From response headers; resource is requests, tokens, input_tokens or output_tokens.
struct RateLimit {
  std::string resource;
  std::int64_t limit = 0;  // 0: not stated
  std::int64_t remaining = 0;
  std::optional<WallTime> reset_at;
};

struct Evidence {
  std::string key;
  EvidenceSource source = EvidenceSource::probe;
  Verdict verdict = Verdict::network;
  WallTime at;
  std::int64_t count = 1;  // log lines summed up in this evidence
  std::string message;     // what the provider said: redacted, printable, ≤ 200 bytes
  // Provider-stated end of the condition (Retry-After, a quota reset). Wins over any computed one.
  std::optional<WallTime> retry_at;
  std::optional<VerdictScope> scope;  // whom it touches, where the answer says so itself

  // Of probes only:
  std::optional<ProbeKind> probe;
  int http_status = 0;  // 0: no answer
  std::chrono::nanoseconds latency{0};
  std::vector<Balance> balances;
  std::vector<RateLimit> rate_limits;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  NanoUsd cost = 0;
};

// How the last probe of a key was answered.
struct ProbeAnswer {
  int http_status = 0;  // 0: not at all
  std::chrono::nanoseconds latency{0};
};

// Whom the evidence touches besides its key.
inline VerdictScope scope_of(const Evidence& evidence) {
  return evidence.scope.value_or(info(evidence.verdict).scope);
}

}  // namespace keyherd::model
