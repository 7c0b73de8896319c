#include "quota/planner.hpp"

#include <algorithm>
#include <utility>

namespace keyherd::quota {

namespace {

// Reports the thresholds above those announced so far and returns how many are reached now.
int announce(const Slot& slot, int announced, const Standing& standing, Change& change) {
  const int reached = slot.reached(standing.used);
  const auto levels = model::levels_of(slot.quota);
  for (int number = announced + 1; number <= reached; ++number) {
    const auto index = static_cast<std::size_t>(number - 1);
    change.crossings.push_back(Crossing{
        slot.quota.id, slot.owner, levels[index], number, slot.quota.thresholds[index],
        number == reached, slot.quota.unit, standing.used, slot.quota.limit, standing.resets_at});
  }
  return std::max(announced, reached);
}

// Thresholds stay announced until the use, by the time of the newest row and before this change,
// was a tenth below them. By the rows' own time, so that a step of our clock announces nothing
// anew.
int rearmed(const Slot& slot, const Rolling& rolling, std::int64_t newest) {
  int level = rolling.level;
  while (level > 0) {
    const std::int64_t trigger = slot.triggers[static_cast<std::size_t>(level - 1)];
    if (rolling.tally.used(newest) >= trigger - trigger / 10)
      break;
    --level;
  }
  return level;
}

Standing standing_with(const Slot& slot, const RollingUpdate& update, std::int64_t newest,
                       WallTime now) {
  const RollingTally& tally = std::get<Rolling>(slot.tally).tally;
  const std::int64_t minute = model::minute_of(now);
  const RollingTally empty(tally.length());
  Standing standing;
  standing.window = {minute_start(minute - tally.length() + 1), minute_start(minute + 1)};
  standing.used = (update.anew ? empty : tally).used_with(update.additions, minute);
  standing.resets_at = minute_start(newest + tally.length());
  return standing;
}

model::QuotaWindow window_row(const Slot& slot, const Standing& standing, int level) {
  return {slot.quota.id,       slot.owner,    standing.window.start,
          standing.window.end, standing.used, level};
}

void finish_rolling(const Slot& slot, RollingUpdate& update, WallTime now, Change& change) {
  const Rolling& rolling = std::get<Rolling>(slot.tally);
  if (update.additions.empty())
    return;
  std::int64_t newest = rolling.tally.newest().value_or(update.additions.front().first);
  for (const auto& [minute, amount] : update.additions)
    newest = std::max(newest, minute);
  const int announced = rolling.known ? rearmed(slot, rolling, newest) : rolling.level;
  const Standing standing = standing_with(slot, update, newest, now);
  update.level = announce(slot, announced, standing, change);
  change.windows.push_back(window_row(slot, standing, update.level));
}

}  // namespace

CalendarUpdate& Planner::calendar(std::uint32_t slot) {
  std::uint32_t& place = place_[slot];
  if (place == 0) {
    calendar_.push_back({slot, std::get<CalendarTally>(slots_[slot].tally)});
    place = static_cast<std::uint32_t>(calendar_.size());
    calendar_.back().tally.enter(slots_[slot].quota, now_);
  }
  return calendar_[place - 1];
}

RollingUpdate& Planner::rolling(std::uint32_t slot) {
  std::uint32_t& place = place_[slot];
  if (place == 0) {
    const Rolling& state = std::get<Rolling>(slots_[slot].tally);
    rolling_.push_back({slot, {}, state.level, state.known, false});
    place = static_cast<std::uint32_t>(rolling_.size());
  }
  return rolling_[place - 1];
}

void Planner::touch(std::uint32_t slot) {
  if (std::holds_alternative<CalendarTally>(slots_[slot].tally))
    calendar(slot);
}

bool Planner::recount(std::uint32_t slot) {
  if (const auto* state = std::get_if<Rolling>(&slots_[slot].tally)) {
    if (state->known)
      return false;
    RollingUpdate& update = rolling(slot);
    update.known = true;
    update.anew = true;
    return true;
  }
  CalendarTally& tally = calendar(slot).tally;
  if (tally.current().known)
    return false;
  tally.recount();
  return true;
}

void Planner::add(std::uint32_t slot, WallTime at, const model::UsageCounts& counts) {
  const Slot& target = slots_[slot];
  const std::int64_t amount = amount_of(target.quota.unit, counts);
  if (amount <= 0)
    return;
  if (std::holds_alternative<CalendarTally>(target.tally))
    calendar(slot).tally.add(target.quota, at, amount);
  else
    rolling(slot).additions.emplace_back(model::minute_of(at), amount);
}

void Planner::finish(const CalendarUpdate& update, Change& change, bool& windows_began) const {
  const Slot& slot = slots_[update.slot];
  const auto& before = std::get<CalendarTally>(slot.tally);
  const CalendarTally::Held& now = update.tally.current();
  const bool began = before.empty() || before.current().bounds != now.bounds;
  windows_began = windows_began || began;
  if (began || before.current().used != now.used || before.current().level != now.level)
    change.windows.push_back(
        {slot.quota.id, slot.owner, now.bounds.start, now.bounds.end, now.used, now.level});
}

void Planner::finish(Change& change, Change::Updates& updates) {
  for (CalendarUpdate& update : calendar_) {
    CalendarTally::Held& held = update.tally.current();
    const Standing standing{held.bounds, held.used, held.bounds.end, std::nullopt};
    const Slot& slot = slots_[update.slot];
    held.level =
        held.quiet ? slot.reached(held.used) : announce(slot, held.level, standing, change);
    finish(update, change, updates.windows_began);
  }
  for (RollingUpdate& update : rolling_)
    finish_rolling(slots_[update.slot], update, now_, change);
  updates.calendar = std::move(calendar_);
  updates.rolling = std::move(rolling_);
}

}  // namespace keyherd::quota
