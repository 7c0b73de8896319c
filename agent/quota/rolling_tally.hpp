#pragma once

// Inside quota only: the use of one quota in a window that moves with time, minute by minute. At a
// given minute the window holds that minute, those before it for its length, and those after it
// (rows whose clock runs ahead). What is forgotten depends on the newest row, not on our clock, so
// that a step of the clock loses nothing.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace keyherd::quota {

class RollingTally {
 public:
  using Addition = std::pair<std::int64_t, std::int64_t>;  // minute since the epoch, amount ≥ 0

  // Length in minutes, > 0.
  explicit RollingTally(std::int64_t length) : length_(length) {}

  [[nodiscard]] std::int64_t length() const { return length_; }
  [[nodiscard]] std::int64_t used(std::int64_t minute) const;
  // What used(minute) would be with the additions.
  [[nodiscard]] std::int64_t used_with(const std::vector<Addition>& additions,
                                       std::int64_t minute) const;
  [[nodiscard]] std::optional<std::int64_t> newest() const;
  // The first minute after this one at which an entry leaves the window.
  [[nodiscard]] std::optional<std::int64_t> next_leaving(std::int64_t minute) const;
  // The first minute, from this one on, at which the use is below the limit if nothing is added.
  [[nodiscard]] std::int64_t below(std::int64_t limit, std::int64_t minute) const;

  void add(const std::vector<Addition>& additions);
  void clear() { entries_.clear(); }

 private:
  struct Entry {
    std::int64_t minute = 0;
    std::int64_t sum = 0;  // of all entries up to this one
  };
  [[nodiscard]] std::int64_t sum_up_to(std::int64_t minute) const;
  void add(std::int64_t minute, std::int64_t amount);
  void forget();

  std::int64_t length_;
  std::vector<Entry> entries_;  // ascending; only minutes with use
};

}  // namespace keyherd::quota
