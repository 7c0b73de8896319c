#include "quota/calendar_tally.hpp"

#include <cstdlib>

#include "model/money.hpp"

namespace keyherd::quota {

namespace {

// Rows from a clock further ahead than this count at receipt, so none come for later windows.
constexpr std::chrono::minutes kAhead{6};
constexpr std::size_t kMostHeld = 8;

cron::CalendarUnit unit_of(model::WindowKind kind) {
  switch (kind) {
    case model::WindowKind::minute:
      return cron::CalendarUnit::minute;
    case model::WindowKind::hour:
      return cron::CalendarUnit::hour;
    case model::WindowKind::day:
      return cron::CalendarUnit::day;
    case model::WindowKind::week:
      return cron::CalendarUnit::week;
    case model::WindowKind::month:
      return cron::CalendarUnit::month;
    case model::WindowKind::total:
    case model::WindowKind::rolling:
      break;
  }
  std::abort();
}

}  // namespace

Result<cron::Window> window_of(const model::Quota& quota, WallTime at) {
  if (quota.window == model::WindowKind::total)
    return cron::Window{WallTime{}, std::nullopt};
  return cron::window_at(unit_of(quota.window), quota.timezone, at,
                         {quota.anchor_day, quota.anchor_time});
}

bool contains(const cron::Window& window, WallTime at) {
  return !window.end || (at >= window.start && at < *window.end);
}

bool CalendarTally::is_current(WallTime now) const {
  return !held_.empty() && contains(held_.front().bounds, now);
}

const CalendarTally::Held* CalendarTally::find(WallTime at) const {
  const auto found = std::find_if(held_.begin(), held_.end(),
                                  [at](const Held& held) { return contains(held.bounds, at); });
  return found == held_.end() ? nullptr : &*found;
}

void CalendarTally::enter(const model::Quota& quota, WallTime now) {
  const auto found = std::find_if(held_.begin(), held_.end(),
                                  [now](const Held& held) { return contains(held.bounds, now); });
  if (found != held_.end()) {
    std::iter_swap(held_.begin(), found);
    return;
  }
  Held fresh{window_of(quota, now).value()};
  // Going forward we have seen all rows of the new window; after a step back we have not.
  fresh.known =
      !held_.empty() && held_.front().bounds.end && *held_.front().bounds.end <= fresh.bounds.start;
  fresh.quiet = !held_.empty() && held_.front().bounds.start > fresh.bounds.start;
  held_.insert(held_.begin(), fresh);
  trim();
}

void CalendarTally::add(const model::Quota& quota, WallTime at, std::int64_t amount) {
  for (Held& held : held_)
    if (contains(held.bounds, at)) {
      held.used = model::saturating_add(held.used, amount);
      return;
    }
  const cron::Window& bounds = current().bounds;
  if (at < *bounds.end || at >= *bounds.end + kAhead)
    return;
  held_.push_back(Held{window_of(quota, at).value(), amount, 0, true, false});
  trim();
}

void CalendarTally::recount() {
  const WallTime here = current().bounds.start;
  for (Held& held : held_)
    if (held.bounds.start >= here) {
      held.used = 0;
      held.known = true;
    }
}

void CalendarTally::trim() {
  if (held_.size() <= kMostHeld)
    return;
  const WallTime here = current().bounds.start;
  const auto distance = [here](const Held& held) {
    return held.bounds.start < here ? here - held.bounds.start : held.bounds.start - here;
  };
  held_.erase(std::max_element(held_.begin() + 1, held_.end(), [&](const Held& a, const Held& b) {
    return distance(a) < distance(b);
  }));
}

}  // namespace keyherd::quota
