#pragma once

// Everything the loop knows of one key besides its state of health, which the tracker keeps. Owned
// by the loop.

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/setup.hpp"
#include "model/snapshot.hpp"
#include "probe/ladder.hpp"

namespace keyherd::engine {

// A key's logged requests of the last five minutes, by the time they were read.
class RecentRequests {
 public:
  void add(WallTime now, const model::UsageCounts& counts);
  // The share that failed; nothing while there are too few requests to speak of a share.
  [[nodiscard]] std::optional<double> error_ratio(WallTime now) const;
  // The mean of those that stated one.
  [[nodiscard]] std::optional<std::chrono::nanoseconds> latency(WallTime now) const;

 private:
  static constexpr std::size_t kMinutes = 5;
  static constexpr std::int64_t kEnough = 20;
  struct Slot {
    std::int64_t minute = -1;
    std::int64_t requests = 0;
    std::int64_t failed = 0;
    std::int64_t latency_ms = 0;
    std::int64_t latency_count = 0;
  };
  [[nodiscard]] Slot sum(WallTime now) const;
  std::array<Slot, kMinutes> slots_{};
};

// What a pool's choice depends on, but for usage: a change of it concerns every pool of the key.
struct KeyStanding {
  model::KeyState state = model::KeyState::unknown;
  model::Verdict verdict = model::Verdict::network;
  bool verified = false;
  bool frozen = false;
  friend bool operator==(const KeyStanding&, const KeyStanding&) = default;
};

struct KeyRecord {
  model::Key key;
  KeySecret secret;

  std::deque<model::Evidence> recent;      // newest first
  std::deque<model::StateChange> changes;  // newest first
  std::optional<model::Evidence> last_probe;
  model::ProbeTotals probes;
  probe::ProbeHistory probe_history;
  // The last evidence that speaks of the key was ok, and of the present secret.
  bool verified = false;
  std::optional<WallTime> last_ok_at;
  std::optional<KeyStanding> told;  // the standing that the pools know

  std::map<std::string, model::UsageCounts> usage_by_model;
  std::array<std::int64_t, model::kUsageFailureCount> usage_failures{};
  std::optional<WallTime> last_used_at;
  RecentRequests requests;

  std::vector<model::Balance> balances;
  std::optional<WallTime> balances_at;
  std::vector<model::RateLimit> rate_limits;
  std::optional<WallTime> rate_limits_at;

  // Evidence of any source: keeps the history, the totals of probes and what answers told besides.
  void record(const model::Evidence& evidence);
  // What a probe adds to the totals.
  void count_probe(const model::Evidence& evidence);
  void record(const model::StateChange& change);
};

}  // namespace keyherd::engine
