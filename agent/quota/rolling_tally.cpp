#include "quota/rolling_tally.hpp"

#include <algorithm>

#include "model/money.hpp"

namespace keyherd::quota {

namespace {
const auto kLaterThan = [](std::int64_t minute, const auto& entry) {
  return minute < entry.minute;
};
}  // namespace

std::int64_t RollingTally::sum_up_to(std::int64_t minute) const {
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), minute, kLaterThan);
  return after == entries_.begin() ? 0 : std::prev(after)->sum;
}

std::int64_t RollingTally::used(std::int64_t minute) const {
  return entries_.empty() ? 0 : entries_.back().sum - sum_up_to(minute - length_);
}

std::int64_t RollingTally::used_with(const std::vector<Addition>& additions,
                                     std::int64_t minute) const {
  std::int64_t sum = used(minute);
  for (const auto& [at, amount] : additions)
    if (at > minute - length_)
      sum = model::saturating_add(sum, amount);
  return sum;
}

std::optional<std::int64_t> RollingTally::newest() const {
  return entries_.empty() ? std::nullopt : std::optional(entries_.back().minute);
}

std::optional<std::int64_t> RollingTally::next_leaving(std::int64_t minute) const {
  const auto oldest =
      std::upper_bound(entries_.begin(), entries_.end(), minute - length_, kLaterThan);
  return oldest == entries_.end() ? std::nullopt : std::optional(oldest->minute + length_);
}

std::int64_t RollingTally::below(std::int64_t limit, std::int64_t minute) const {
  if (used(minute) < limit)
    return minute;
  // The first entry after which less than the limit is left; it leaves the window last.
  const std::int64_t total = entries_.back().sum;
  const auto last = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const Entry& entry) { return total - entry.sum < limit; });
  return last->minute + length_;
}

void RollingTally::add(const std::vector<Addition>& additions) {
  for (const auto& [minute, amount] : additions)
    add(minute, amount);
  forget();
}

void RollingTally::add(std::int64_t minute, std::int64_t amount) {
  if (amount <= 0)
    return;
  auto place = std::upper_bound(entries_.begin(), entries_.end(), minute, kLaterThan);
  if (place == entries_.begin() || std::prev(place)->minute != minute)
    place = entries_.insert(place, Entry{minute, sum_up_to(minute)});
  else
    --place;
  for (; place != entries_.end(); ++place)
    place->sum = model::saturating_add(place->sum, amount);
}

void RollingTally::forget() {
  if (entries_.empty())
    return;
  const auto kept = std::upper_bound(entries_.begin(), entries_.end(),
                                     entries_.back().minute - length_, kLaterThan);
  // In large strokes: each costs a walk over what stays.
  if (kept - entries_.begin() <= static_cast<std::ptrdiff_t>(entries_.size() / 2))
    return;
  const std::int64_t gone = std::prev(kept)->sum;
  entries_.erase(entries_.begin(), kept);
  for (Entry& entry : entries_)
    entry.sum -= gone;
}

}  // namespace keyherd::quota
