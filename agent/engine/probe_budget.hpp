#pragma once

// What all probes together may use in a day. A paid probe is admitted while there is room for it,
// with what is under way counted in. Owned by the loop.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "model/money.hpp"

namespace keyherd::engine {

class ProbeBudget {
 public:
  // Nothing: no limit. What was used today stays used.
  void configure(std::optional<std::int64_t> tokens, std::optional<model::NanoUsd> usd) {
    token_limit_ = tokens;
    usd_limit_ = usd;
  }
  // What text() gave; anything else is as good as nothing.
  void restore(std::string_view text, WallTime now);
  // For the store.
  [[nodiscard]] std::string text() const;

  // Whether one more paid probe fits into the day.
  [[nodiscard]] bool admits(WallTime now);
  void begin() { ++under_way_; }
  // After each begin(); nothing was used when the probe was given up.
  void end() { --under_way_; }
  // What a probe used. True if anything.
  bool spend(std::int64_t tokens, model::NanoUsd cost, WallTime now);

  // The used share of the nearer limit, may exceed 1; at least 1 once what is left is too little
  // for another probe; nothing without a limit.
  [[nodiscard]] std::optional<double> used_ratio(WallTime now);

 private:
  void roll(WallTime now);
  // Whether that many more fit.
  [[nodiscard]] bool fits(std::int64_t probes) const;

  std::optional<std::int64_t> token_limit_;
  std::optional<model::NanoUsd> usd_limit_;
  std::int64_t day_ = 0;  // since the epoch, UTC
  std::int64_t tokens_ = 0;
  model::NanoUsd cost_ = 0;
  // The most that one probe has used so far: what the next one is expected to use.
  std::int64_t most_tokens_ = 32;
  model::NanoUsd most_cost_ = 0;
  std::int64_t under_way_ = 0;
};

}  // namespace keyherd::engine
