#include "engine/probe_budget.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/text.hpp"

namespace keyherd::engine {

void ProbeBudget::roll(WallTime now) {
  const std::int64_t today =
      std::chrono::floor<std::chrono::duration<std::int64_t, std::ratio<86400>>>(
          now.time_since_epoch())
          .count();
  // A clock that steps back does not give yesterday's budget once more.
  if (today <= day_)
    return;
  day_ = today;
  tokens_ = 0;
  cost_ = 0;
}

void ProbeBudget::restore(std::string_view text, WallTime now) {
  const auto parts = split(text, ' ');
  if (parts.size() != 3)
    return;
  const auto day = parse_int(parts[0]);
  const auto tokens = parse_int(parts[1]);
  const auto cost = parse_int(parts[2]);
  if (!day || !tokens || !cost || *tokens < 0 || *cost < 0)
    return;
  roll(now);
  // A day that has not come yet is a clock's slip: it must not close the budget for ever.
  if (*day != day_)
    return;
  tokens_ = *tokens;
  cost_ = *cost;
}

std::string ProbeBudget::text() const {
  return fmt::format("{} {} {}", day_, tokens_, cost_);
}

bool ProbeBudget::fits(std::int64_t probes) const {
  if (token_limit_ && model::saturating_add(tokens_, probes * most_tokens_) > *token_limit_)
    return false;
  return !usd_limit_ ||
         (cost_ < *usd_limit_ && model::saturating_add(cost_, probes * most_cost_) <= *usd_limit_);
}

bool ProbeBudget::admits(WallTime now) {
  roll(now);
  return fits(under_way_ + 1);
}

bool ProbeBudget::spend(std::int64_t tokens, model::NanoUsd cost, WallTime now) {
  if (tokens <= 0 && cost <= 0)
    return false;
  // A provider may claim any number: a mad one must not stop all later probes by being expected.
  constexpr std::int64_t kBelievableTokens = 10'000;
  constexpr model::NanoUsd kBelievableCost = model::kNanosPerUsd / 10;
  roll(now);
  tokens_ = model::saturating_add(tokens_, tokens);
  cost_ = model::saturating_add(cost_, cost);
  most_tokens_ = std::max(most_tokens_, std::min(tokens, kBelievableTokens));
  most_cost_ = std::max(most_cost_, std::min(cost, kBelievableCost));
  return true;
}

std::optional<double> ProbeBudget::used_ratio(WallTime now) {
  roll(now);
  std::optional<double> ratio;
  if (token_limit_)
    ratio = static_cast<double>(tokens_) / static_cast<double>(*token_limit_);
  if (usd_limit_ && *usd_limit_ > 0)
    ratio = std::max(ratio.value_or(0), model::to_usd(cost_) / model::to_usd(*usd_limit_));
  if (ratio && !fits(1))
    ratio = std::max(*ratio, 1.0);
  return ratio;
}

}  // namespace keyherd::engine
