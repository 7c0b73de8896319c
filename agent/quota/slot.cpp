#include "quota/slot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.hpp"
#include "model/money.hpp"
#include "quota/forecast.hpp"

namespace keyherd::quota {

namespace {

using std::chrono::minutes;

constexpr std::chrono::hours kLongestRolling{24 * 31};
constexpr std::int64_t kMillion = 1'000'000;

// The least whole use at or above threshold × limit; the threshold is taken to a millionth.
std::int64_t trigger_of(double threshold, std::int64_t limit) {
  const std::int64_t millionths = std::llround(threshold * static_cast<double>(kMillion));
  const std::int64_t rest = limit % kMillion * millionths;
  return std::max<std::int64_t>(1,
                                limit / kMillion * millionths + (rest + kMillion - 1) / kMillion);
}

std::string problem_of(const model::Quota& quota) {
  if (quota.limit <= 0)
    return "the limit must be above 0";
  if (quota.thresholds.size() > model::kQuotaLevels.size())
    return "at most three thresholds are possible";
  double last = 0;
  for (const double threshold : quota.thresholds) {
    if (!(threshold > last) || threshold > 1)
      return "thresholds must ascend, above 0 and at most 1";
    last = threshold;
  }
  if (quota.window == model::WindowKind::rolling &&
      (quota.rolling < minutes{1} || quota.rolling % minutes{1} != minutes{0} ||
       quota.rolling > kLongestRolling))
    return "a rolling window is 1m to 31d long, in whole minutes";
  if (!cron::is_timezone(quota.timezone))
    return fmt::format("time zone \"{}\" is not known", printable(quota.timezone, 60));
  return {};
}

Standing rolling_standing(const Slot& slot, const RollingTally& tally, WallTime now) {
  const std::int64_t minute = model::minute_of(now);
  Standing standing;
  standing.window = {minute_start(minute - tally.length() + 1), minute_start(minute + 1)};
  standing.used = tally.used(minute);
  if (standing.used > 0)
    standing.resets_at = minute_start(*tally.newest() + tally.length());
  if (standing.used >= slot.quota.limit)
    standing.exhausted_until = minute_start(tally.below(slot.quota.limit, minute));
  return standing;
}

Standing calendar_standing(const Slot& slot, const CalendarTally& tally, WallTime now) {
  const CalendarTally::Held* held = tally.find(now);
  Standing standing;
  standing.window = held != nullptr ? held->bounds : window_of(slot.quota, now).value();
  standing.used = held != nullptr ? held->used : 0;
  standing.resets_at = standing.window.end;
  if (standing.used >= slot.quota.limit)
    standing.exhausted_until = standing.window.end.value_or(WallTime::max());
  return standing;
}

}  // namespace

int Slot::reached(std::int64_t used) const {
  return static_cast<int>(std::upper_bound(triggers.begin(), triggers.end(), used) -
                          triggers.begin());
}

Result<Slot> make_slot(model::Quota quota, std::string owner, std::vector<std::string> keys) {
  if (const std::string problem = problem_of(quota); !problem.empty())
    return fail(ErrorCode::invalid,
                fmt::format("quota \"{}\" of \"{}\": {}", printable(quota.id, 60),
                            printable(owner, 60), problem));
  Slot slot;
  for (const double threshold : quota.thresholds)
    slot.triggers.push_back(trigger_of(threshold, quota.limit));
  if (quota.window == model::WindowKind::rolling)
    slot.tally = Rolling{RollingTally(quota.rolling / minutes{1}), 0, false};
  slot.quota = std::move(quota);
  slot.owner = std::move(owner);
  slot.keys = std::move(keys);
  return slot;
}

bool counts_alike(const model::Quota& a, const model::Quota& b) {
  return a.unit == b.unit && a.window == b.window && a.timezone == b.timezone &&
         a.anchor_day == b.anchor_day && a.anchor_time == b.anchor_time &&
         (a.window != model::WindowKind::rolling || a.rolling == b.rolling);
}

std::int64_t amount_of(model::QuotaUnit unit, const model::UsageCounts& counts) {
  switch (unit) {
    case model::QuotaUnit::tokens:
      return model::saturating_add(counts.input, counts.output);
    case model::QuotaUnit::input_tokens:
      return counts.input;
    case model::QuotaUnit::output_tokens:
      return counts.output;
    case model::QuotaUnit::requests:
      return counts.requests;
    case model::QuotaUnit::usd:
      return counts.cost;
  }
  std::abort();
}

WallTime minute_start(std::int64_t minute) {
  return WallTime{minutes{minute}};
}

Standing standing_of(const Slot& slot, WallTime now) {
  if (const auto* rolling = std::get_if<Rolling>(&slot.tally))
    return rolling_standing(slot, rolling->tally, now);
  return calendar_standing(slot, std::get<CalendarTally>(slot.tally), now);
}

model::QuotaStatus status_of(const Slot& slot, WallTime now) {
  const Standing standing = standing_of(slot, now);
  model::QuotaStatus status;
  status.quota = slot.quota.id;
  status.owner = slot.owner;
  status.unit = slot.quota.unit;
  status.used = standing.used;
  status.limit = slot.quota.limit;
  status.resets_at = standing.resets_at;
  if (slot.quota.window == model::WindowKind::rolling)
    status.window_length = slot.quota.rolling;
  else if (standing.window.end)
    status.window_length = *standing.window.end - standing.window.start;
  status.thresholds = slot.quota.thresholds;
  status.level = slot.reached(standing.used);
  status.burn = slot.burn.rate(now);
  add_forecast(status, slot.quota.window == model::WindowKind::rolling, now);
  return status;
}

}  // namespace keyherd::quota
