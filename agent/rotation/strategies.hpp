#pragma once

// Which key next: an order over the keys that are fit. Pure and deterministic.
//
//   round_robin   the next in the pool's order after the active key, going round
//   priority      the highest priority
//   quota_aware   the highest score: the share left of its scarcest quota × priority
//   least_used    the fewest tokens logged so far
//   cheapest      the lowest price of the tokens that the pool uses; a key without any comes last
//   lowest_latency  the shortest latency of its latest requests; a key without any comes last
//
// Ties are broken by the score's next part (priority), then by the order of round_robin.

#include <string_view>
#include <vector>

#include "rotation/candidate.hpp"

namespace keyherd::rotation {

// Best first. `choices` point into `members`, which are all keys in the pool's order. `active` is
// the key in use, or the one handed out last; it goes last in round_robin when it is itself a
// choice, and an unknown or empty one means that the round starts at the first member.
std::vector<const Candidate*> rank(model::Strategy strategy, const std::vector<Candidate>& members,
                                   std::vector<const Candidate*> choices, std::string_view active);

// All that a strategy looks at in a candidate.
struct Merits {
  int priority = 1;
  double share_left = 1;  // remaining / limit of the scarcest quota; without quotas 1
  std::int64_t tokens_used = 0;
  std::optional<std::chrono::nanoseconds> latency;
  std::optional<model::NanoUsd> price;
};
Merits merits_of(const Candidate& candidate);

// How good the strategy finds it: the greater the better. Where two are alike, it is somebody's
// turn.
struct Preference {
  double score = 0;
  int priority = 0;
  friend bool operator==(const Preference&, const Preference&) = default;
};
bool operator<(const Preference& a, const Preference& b);
Preference preference(model::Strategy strategy, const Merits& merits);

// How many steps round the pool of that many members lead from place `start` to this one.
std::size_t distance_round(std::size_t place, std::size_t start, std::size_t members);

// remaining / limit; a quota without a limit is untouched.
double share_left(std::int64_t remaining, std::int64_t limit);

}  // namespace keyherd::rotation
