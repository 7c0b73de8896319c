#include "rotation/strategies.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

namespace keyherd::rotation {

namespace {

// How many steps round the pool lead from the active key to this one; the active key itself is a
// whole round away.
class Ring {
 public:
  Ring(const std::vector<Candidate>& members, std::string_view active)
      : first_(members.data()), size_(members.size()) {
    const Candidate* current = find(members, active);
    start_ = current == nullptr ? 0 : static_cast<std::size_t>(current - first_) + 1;
  }
  [[nodiscard]] std::size_t distance(const Candidate* member) const {
    return (static_cast<std::size_t>(member - first_) + size_ - start_) % size_;
  }

 private:
  const Candidate* first_;
  std::size_t size_;
  std::size_t start_;
};

struct Ranked {
  double score;  // higher is better
  int priority;  // higher is better
  std::size_t distance;
  const Candidate* candidate;
};

Ranked rate(model::Strategy strategy, const Ring& ring, const Candidate* candidate) {
  const std::size_t distance = ring.distance(candidate);
  switch (strategy) {
    case model::Strategy::round_robin:
      return {0, 0, distance, candidate};
    case model::Strategy::priority:
      return {0, candidate->priority, distance, candidate};
    case model::Strategy::quota_aware:
      return {score(*candidate), candidate->priority, distance, candidate};
    case model::Strategy::least_used:
      return {-static_cast<double>(candidate->tokens_used), candidate->priority, distance,
              candidate};
    case model::Strategy::lowest_latency:
      return {candidate->latency ? -static_cast<double>(candidate->latency->count())
                                 : -std::numeric_limits<double>::infinity(),
              candidate->priority, distance, candidate};
  }
  return {0, 0, distance, candidate};
}

}  // namespace

double score(const Candidate& candidate) {
  double share = 1.0;
  for (const model::QuotaStatus& quota : candidate.quotas) {
    if (quota.limit > 0)
      share = std::min(share,
                       static_cast<double>(quota.remaining()) / static_cast<double>(quota.limit));
  }
  return share * candidate.priority;
}

std::vector<const Candidate*> rank(model::Strategy strategy, const std::vector<Candidate>& members,
                                   std::vector<const Candidate*> choices, std::string_view active) {
  const Ring ring(members, active);
  std::vector<Ranked> ranked;
  ranked.reserve(choices.size());
  for (const Candidate* choice : choices)
    ranked.push_back(rate(strategy, ring, choice));
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    return std::tie(b.score, b.priority, a.distance) < std::tie(a.score, a.priority, b.distance);
  });
  std::transform(ranked.begin(), ranked.end(), choices.begin(),
                 [](const Ranked& one) { return one.candidate; });
  return choices;
}

}  // namespace keyherd::rotation
