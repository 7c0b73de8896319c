#include "rotation/strategies.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

namespace keyherd::rotation {

namespace {

struct Ranked {
  Preference preference;
  std::size_t distance;
  const Candidate* candidate;
};

}  // namespace

double share_left(std::int64_t remaining, std::int64_t limit) {
  return limit > 0 ? static_cast<double>(remaining) / static_cast<double>(limit) : 1.0;
}

Merits merits_of(const Candidate& candidate) {
  Merits merits{candidate.priority, 1.0, candidate.tokens_used, candidate.latency, candidate.price};
  for (const model::QuotaStatus& quota : candidate.quotas)
    merits.share_left = std::min(merits.share_left, share_left(quota.remaining(), quota.limit));
  return merits;
}

bool operator<(const Preference& a, const Preference& b) {
  return std::tie(a.score, a.priority) < std::tie(b.score, b.priority);
}

Preference preference(model::Strategy strategy, const Merits& merits) {
  switch (strategy) {
    case model::Strategy::round_robin:
      return {0, 0};
    case model::Strategy::priority:
      return {0, merits.priority};
    case model::Strategy::quota_aware:
      return {merits.share_left * merits.priority, merits.priority};
    case model::Strategy::least_used:
      return {-static_cast<double>(merits.tokens_used), merits.priority};
    case model::Strategy::cheapest:
      return {merits.price ? -static_cast<double>(*merits.price)
                           : -std::numeric_limits<double>::infinity(),
              merits.priority};
    case model::Strategy::lowest_latency:
      return {merits.latency ? -static_cast<double>(merits.latency->count())
                             : -std::numeric_limits<double>::infinity(),
              merits.priority};
  }
  return {};
}

// The active key itself is a whole round away.
std::size_t distance_round(std::size_t place, std::size_t start, std::size_t members) {
  return (place + members - start) % members;
}

std::vector<const Candidate*> rank(model::Strategy strategy, const std::vector<Candidate>& members,
                                   std::vector<const Candidate*> choices, std::string_view active) {
  const Candidate* current = find(members, active);
  const std::size_t start =
      current == nullptr ? 0 : static_cast<std::size_t>(current - members.data()) + 1;
  std::vector<Ranked> ranked;
  ranked.reserve(choices.size());
  for (const Candidate* choice : choices)
    ranked.push_back(
        {preference(strategy, merits_of(*choice)),
         distance_round(static_cast<std::size_t>(choice - members.data()), start, members.size()),
         choice});
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return a.preference == b.preference ? a.distance < b.distance : b.preference < a.preference;
  });
  std::transform(ranked.begin(), ranked.end(), choices.begin(),
                 [](const Ranked& one) { return one.candidate; });
  return choices;
}

}  // namespace keyherd::rotation
