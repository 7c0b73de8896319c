#pragma once

// Which key next: an order over the keys that are fit. Pure and deterministic.
//
//   round_robin   the next in the pool's order after the active key, going round
//   priority      the highest priority
//   quota_aware   the highest score: the share left of its scarcest quota × priority
//   least_used    the fewest tokens logged so far
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

// remaining / limit of the scarcest quota × priority; a key without quotas counts as untouched.
double score(const Candidate& candidate);

}  // namespace keyherd::rotation
