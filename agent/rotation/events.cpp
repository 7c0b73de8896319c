// Which events call for a switch: planner.hpp's wanted().

#include <fmt/format.h>

#include <algorithm>

#include "base/time_text.hpp"
#include "model/money.hpp"
#include "rotation/planner.hpp"
#include "rotation/strategies.hpp"

namespace keyherd::rotation {

namespace {

using model::RotateOn;
using model::RotationTrigger;

Request request(RotationTrigger trigger, bool urgent, std::string reason) {
  Request made;
  made.trigger = trigger;
  made.urgent = urgent;
  made.reason = std::move(reason);
  return made;
}

// Out of service whatever the provider says: by hand, or by its own expiry.
std::optional<Request> withdrawn(const Candidate& active, WallTime now) {
  if (active.state == model::KeyState::paused)
    return request(RotationTrigger::manual, true, active.key + " is paused");
  if (active.expires_at && *active.expires_at <= now) {
    return request(RotationTrigger::invalid_key, true,
                   active.key + " expired at " + format_rfc3339(*active.expires_at));
  }
  return std::nullopt;
}

std::optional<Request> by_state(const model::Pool& pool, const Candidate& active) {
  const auto because = [&](RotationTrigger trigger, bool urgent) {
    return request(trigger, urgent,
                   fmt::format("{} is {} ({})", active.key, model::to_string(active.state),
                               model::to_string(active.verdict)));
  };
  switch (active.state) {
    case model::KeyState::dead:
      if (rotates_on(pool, RotateOn::dead))
        return because(RotationTrigger::invalid_key, true);
      break;
    case model::KeyState::exhausted:
      if (rotates_on(pool, RotateOn::exhausted))
        return because(active.verdict == model::Verdict::balance_exhausted
                           ? RotationTrigger::balance
                           : RotationTrigger::quota,
                       true);
      break;
    case model::KeyState::throttled:
      if (rotates_on(pool, RotateOn::throttled))
        return because(RotationTrigger::rate_limited, false);
      break;
    case model::KeyState::degraded:
      if (rotates_on(pool, RotateOn::degraded))
        return because(RotationTrigger::endpoint, false);
      break;
    case model::KeyState::unknown:
    case model::KeyState::healthy:
    case model::KeyState::paused:
      break;
  }
  return std::nullopt;
}

// A used-up minute is a rate limit: it is over before a switch pays.
bool is_rate(const model::QuotaStatus& quota) {
  return quota.window_length && *quota.window_length < std::chrono::hours(1);
}

std::optional<Request> by_quota(const model::Pool& pool, const Candidate& active) {
  const model::QuotaStatus* quota = spent_quota(pool, active);
  if (quota == nullptr)
    return std::nullopt;
  const bool rate = is_rate(*quota);
  if (!rotates_on(pool, rate ? RotateOn::throttled : RotateOn::exhausted))
    return std::nullopt;
  return request(rate ? RotationTrigger::rate_limited : RotationTrigger::quota, !rate,
                 fmt::format("{} has {} of {} {} left in quota {}", active.key, quota->remaining(),
                             quota->limit, model::to_string(quota->unit), quota->quota));
}

// Whether the present key became active because of an event, not by anybody's choice: people's
// choices are not undone.
bool came_by_event(const Situation& situation) {
  const auto last = std::find_if(situation.history.begin(), situation.history.end(),
                                 [&](const model::Rotation& rotation) {
                                   return rotation.id == situation.state.last_rotation;
                                 });
  if (last == situation.history.end())
    return false;
  switch (last->trigger) {
    case RotationTrigger::invalid_key:
    case RotationTrigger::rate_limited:
    case RotationTrigger::quota:
    case RotationTrigger::balance:
    case RotationTrigger::endpoint:
    case RotationTrigger::recovery:
    case RotationTrigger::drill:
    case RotationTrigger::tariff:
      return true;
    case RotationTrigger::schedule:
    case RotationTrigger::manual:
    case RotationTrigger::initial:
      return false;
  }
  return false;
}

std::optional<Request> recovered(const Situation& situation, const Candidate& active) {
  if (situation.pool.strategy != model::Strategy::priority || !came_by_event(situation))
    return std::nullopt;
  auto choices = usable(situation.pool, situation.members, situation.now);
  // A dear key was left on purpose, or would be at once.
  if (rotates_on(situation.pool, RotateOn::dear))
    std::erase_if(choices, [](const Candidate* one) { return one->dear; });
  const auto ranked = rank(model::Strategy::priority, situation.members, std::move(choices),
                           situation.state.active);
  if (ranked.empty() || ranked.front()->priority <= active.priority)
    return std::nullopt;
  Request back = request(RotationTrigger::recovery, false,
                         fmt::format("{} has recovered and has a higher priority than {}",
                                     ranked.front()->key, active.key));
  back.to = ranked.front()->key;
  return back;
}

bool chosen_by_hand(const Situation& situation) {
  return std::any_of(
      situation.history.begin(), situation.history.end(), [&](const model::Rotation& rotation) {
        return rotation.id == situation.state.last_rotation && rotation.actor != "agent";
      });
}

// A key that costs less than the active one at this hour, and not at every hour.
std::optional<Request> by_price(const Situation& situation, const Candidate& active) {
  if (!rotates_on(situation.pool, RotateOn::dear) || !active.price || chosen_by_hand(situation))
    return std::nullopt;
  auto cheaper = usable(situation.pool, situation.members, situation.now);
  std::erase_if(cheaper, [&](const Candidate* one) {
    return !one->price || *one->price >= *active.price || !(active.dear || one->by_the_hour) ||
           ramps_until(situation.pool, *one, situation.now);
  });
  if (cheaper.empty())
    return std::nullopt;
  const auto ranked =
      rank(situation.pool.strategy, situation.members, std::move(cheaper), situation.state.active);
  const Candidate& best = *ranked.front();
  Request to_cheaper =
      request(RotationTrigger::tariff, false,
              fmt::format("a million tokens cost {} USD with {} and {} USD with {} at this hour",
                          model::format_usd(*active.price), active.key,
                          model::format_usd(*best.price), best.key));
  to_cheaper.to = best.key;
  return to_cheaper;
}

// Whether the key is good nobody can tell; that another provider serves, its keys' evidence tells.
// No emergency: incidents that come and go must not move a pool at every turn.
std::optional<Request> by_incident(const Situation& situation, const Candidate& active) {
  if (!rotates_on(situation.pool, RotateOn::incident) ||
      usable(situation.pool, situation.members, situation.now).empty())
    return std::nullopt;
  return request(RotationTrigger::endpoint, false,
                 "the provider of " + active.key + " has an incident");
}

}  // namespace

std::optional<Request> wanted(const Situation& situation) {
  const std::string& key = situation.state.active;
  if (key.empty())
    return request(RotationTrigger::initial, true, "no key of the pool is active yet");
  const Candidate* active = find(situation.members, key);
  if (active == nullptr)
    return request(RotationTrigger::manual, true, key + " is no longer in the pool");
  if (auto found = withdrawn(*active, situation.now))
    return found;
  if (active->drilled && rotates_on(situation.pool, RotateOn::dead))
    return request(RotationTrigger::drill, true, key + " is treated as revoked, for a drill");
  if (active->frozen)
    return by_incident(situation, *active);
  if (auto found = by_state(situation.pool, *active))
    return found;
  if (auto found = by_quota(situation.pool, *active))
    return found;
  if (auto found = by_price(situation, *active))
    return found;
  return recovered(situation, *active);
}

}  // namespace keyherd::rotation
