#pragma once

// Everything the loop knows of one key besides its state of health, which the tracker keeps. Owned
// by the loop.

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/setup.hpp"
#include "model/snapshot.hpp"
#include "probe/ladder.hpp"

namespace keyherd::engine {

// The share of marked ones among a key's logged requests of the last so many minutes, in slots, by
// the time they were read.
template <std::size_t kSlots, int kSlotMinutes, std::int64_t kEnough>
class ShareWindow {
 public:
  void add(WallTime now, std::int64_t requests, std::int64_t marked) {
    const std::int64_t at = model::minute_of(now) / kSlotMinutes;
    slots_.resize(kSlots);
    Slot& slot = slots_[static_cast<std::size_t>(at) % kSlots];
    if (slot.at != at)
      slot = Slot{at, 0, 0};
    slot.requests += requests;
    slot.marked += marked;
  }
  // Nothing while there are too few requests to speak of a share.
  [[nodiscard]] std::optional<double> ratio(WallTime now) const {
    const auto [requests, marked] = sums(now);
    if (requests < kEnough)
      return std::nullopt;
    return static_cast<double>(marked) / static_cast<double>(requests);
  }
  [[nodiscard]] std::int64_t requests(WallTime now) const { return sums(now).first; }

 private:
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> sums(WallTime now) const {
    const std::int64_t at = model::minute_of(now) / kSlotMinutes;
    std::int64_t requests = 0;
    std::int64_t marked = 0;
    for (const Slot& slot : slots_) {
      if (slot.at < 0 || slot.at > at || at - slot.at >= static_cast<std::int64_t>(kSlots))
        continue;
      requests += slot.requests;
      marked += slot.marked;
    }
    return {requests, marked};
  }

  struct Slot {
    std::int64_t at = -1;
    std::int64_t requests = 0;
    std::int64_t marked = 0;
  };
  std::vector<Slot> slots_;  // none before the first request: most keys of a large herd rest
};
// Failed ones of the last five minutes, of at least twenty.
using ErrorWindow = ShareWindow<5, 1, 20>;
// Milliseconds by requests that stated them, of the last five minutes: the ratio is their mean.
using LatencyWindow = ShareWindow<5, 1, 1>;
// Suspect ones of the last day.
using TrustWindow = ShareWindow<24, 60, 1>;

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
  std::optional<WallTime> secret_expires_at;  // says its issuer
  bool recovered = false;                     // healthy, and was out of service before

  std::optional<model::Verdict> last_verdict;  // of any evidence
  // Log lines of one kind, summed until they are stored: a busy key must not fill the disk with its
  // troubles. When the last of them were stored.
  std::unique_ptr<model::Evidence> summing;
  std::optional<SteadyTime> summed_at;
  std::optional<model::ProbeAnswer> last_probe;
  model::ProbeTotals probes;
  probe::ProbeHistory probe_history;
  // The last evidence that speaks of the key was ok, and of the present secret.
  bool verified = false;
  std::optional<WallTime> last_ok_at;
  std::optional<WallTime> served_at;                       // last success in the usage log
  std::map<std::string, std::string> shares_account_with;  // other key → why it seems so
  std::optional<KeyStanding> told;                         // the standing that the pools know

  std::map<std::string, model::UsageCounts> usage_by_model;
  std::array<std::int64_t, model::kUsageFailureCount> usage_failures{};
  std::optional<WallTime> last_used_at;
  ErrorWindow errors;
  LatencyWindow latency;
  model::SuspectCounts suspects{};
  TrustWindow trust;

  std::map<std::string, model::BalanceRecord> wallet;  // by currency
  model::NanoUsd probe_cost_at_look = 0;               // of `probes`, at the last look
  std::vector<model::Balance> balances;
  std::optional<WallTime> balances_at;
  std::vector<model::RateLimit> rate_limits;
  std::optional<WallTime> rate_limits_at;

  // Evidence of any source: the totals of probes and what answers told besides.
  void record(const model::Evidence& evidence);
  // The configuration's date or the issuer's, whichever comes first.
  [[nodiscard]] std::optional<WallTime> expires_at() const;
  // Compares the balances of the evidence with the last look: the falls since then.
  std::vector<model::BalanceDrop> compare_balances(const model::Evidence& evidence);
  // The secret is another's: what it sees next has nothing to do with what was seen before.
  void forget_balances();
  // What a probe adds to the totals.
  void count_probe(const model::Evidence& evidence);
};

}  // namespace keyherd::engine
