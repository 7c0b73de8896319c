#include "rotation/guards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/time_text.hpp"
#include "rotation/workflow.hpp"

namespace keyherd::rotation {

namespace {

// In all of this: a time of the past that lies ahead of now (the wall clock was set back) holds
// nothing back.

bool has_failed(const model::Rotation& rotation) {
  return rotation.state == model::RotationState::rolled_back ||
         rotation.state == model::RotationState::needs_human;
}

// Ended attempts in a row, newest first, that failed. A refused one tried nothing and does not
// count.
std::vector<const model::Rotation*> failures_in_a_row(const Situation& situation) {
  std::vector<const model::Rotation*> failed;
  for (const model::Rotation& rotation : situation.history) {
    if (!model::is_final(rotation.state) || rotation.state == model::RotationState::refused)
      continue;
    if (!has_failed(rotation))
      break;
    failed.push_back(&rotation);
  }
  return failed;
}

std::optional<Refusal> conflict(const Situation& situation, const Request& request) {
  const model::Rotation* current = running(situation);
  if (current == nullptr || (request.urgent && can_be_overtaken(*current)))
    return std::nullopt;
  return in_progress(situation, *current);
}

std::optional<Refusal> frozen(const Situation& situation, const Request& request) {
  const auto& freeze = situation.freeze;
  if (!freeze || (request.urgent && !freeze->by_hand))
    return std::nullopt;
  const std::string until = freeze->until ? " until " + format_rfc3339(*freeze->until) : "";
  return Refusal{
      Guard::frozen,
      freeze->by_hand
          ? fmt::format("pool {}: frozen by {}{}{}; keyherd unfreeze {} ends it", situation.pool.id,
                        freeze->actor, until, freeze->reason.empty() ? "" : ": " + freeze->reason,
                        situation.pool.id)
          : fmt::format("pool {}: a freeze window is open{}", situation.pool.id, until),
      std::nullopt, freeze->until};
}

std::chrono::seconds back_off(int failures) {
  return std::min<std::chrono::seconds>(kFirstBackOff * (1 << std::clamp(failures - 1, 0, 10)),
                                        kLongestBackOff);
}

std::optional<Refusal> after_failures(const Situation& situation, const Request& request) {
  const auto failed = failures_in_a_row(situation);
  if (failed.empty())
    return std::nullopt;
  const int count = static_cast<int>(failed.size());
  if (count >= kBreakerFailures && !request.urgent) {
    return Refusal{
        Guard::breaker,
        fmt::format("pool {}: the last {} rotations failed, so automatic ones stop; mend "
                    "the cause (keyherd history {}) and run keyherd rotate {}",
                    situation.pool.id, count, situation.pool.id, situation.pool.id),
        std::nullopt, std::nullopt};
  }
  // needs_human means that the new key is live: nothing would be gained by waiting to leave it.
  if (failed.front()->state == model::RotationState::needs_human)
    return std::nullopt;
  const WallTime until = failed.front()->updated_at + back_off(count);
  if (situation.now >= until || situation.now < failed.front()->updated_at)
    return std::nullopt;
  return Refusal{Guard::back_off,
                 fmt::format("pool {}: rotation {} failed; the next attempt is due at {}",
                             situation.pool.id, failed.front()->id, format_rfc3339(until)),
                 std::nullopt, until};
}

bool is_automatic(const model::Rotation& rotation) {
  return rotation.actor == "agent" && rotation.state != model::RotationState::refused;
}

std::optional<Refusal> over_budget(const Situation& situation, const Request& request) {
  if (request.urgent)
    return std::nullopt;
  const WallTime since = situation.now - std::chrono::hours(1);
  std::optional<WallTime> oldest;
  int count = 0;
  for (const model::Rotation& rotation : situation.history) {
    if (!is_automatic(rotation) || rotation.started_at <= since ||
        rotation.started_at > situation.now)
      continue;
    if (++count <= situation.pool.rotations_per_hour)
      oldest = rotation.started_at;
  }
  if (count < situation.pool.rotations_per_hour)
    return std::nullopt;
  const WallTime until = *oldest + std::chrono::hours(1);
  return Refusal{
      Guard::budget,
      fmt::format("pool {}: {} automatic switches within an hour are enough; the next is "
                  "allowed at {} (is its schedule too tight, or a key flapping?)",
                  situation.pool.id, situation.pool.rotations_per_hour, format_rfc3339(until)),
      std::nullopt, until};
}

std::optional<Refusal> too_soon(const Situation& situation, const Request& request) {
  if (request.urgent || situation.state.active.empty())
    return std::nullopt;
  const WallTime until = situation.state.switched_at +
                         std::chrono::duration_cast<WallTime::duration>(situation.pool.min_stay);
  if (situation.now >= until || situation.now < situation.state.switched_at)
    return std::nullopt;
  return Refusal{Guard::min_stay,
                 fmt::format("pool {}: {} became active less than {} ago (min_stay); the next "
                             "automatic switch is allowed at {}",
                             situation.pool.id, situation.state.active,
                             format_duration(situation.pool.min_stay), format_rfc3339(until)),
                 std::nullopt, until};
}

std::optional<Refusal> recovering(const Situation& situation, const Request& request) {
  if (request.trigger != model::RotationTrigger::recovery || !request.to)
    return std::nullopt;
  const Candidate* better = find(situation.members, *request.to);
  if (better == nullptr || !better->state_since || situation.now < *better->state_since)
    return std::nullopt;
  WallTime until = *better->state_since +
                   std::chrono::duration_cast<WallTime::duration>(situation.pool.recovery_wait);
  std::string_view setting = "recovery_wait";
  if (const auto ramped = ramps_until(situation.pool, *better, situation.now);
      ramped && *ramped > until) {
    until = *ramped;
    setting = "ramp";
  }
  if (situation.now >= until)
    return std::nullopt;
  return Refusal{Guard::recovery_wait,
                 fmt::format("pool {}: {} has been healthy again for less than {} ({}); "
                             "the pool returns to it at {}",
                             situation.pool.id, better->key,
                             format_duration(setting == "ramp" ? situation.pool.ramp
                                                               : situation.pool.recovery_wait),
                             setting, format_rfc3339(until)),
                 std::nullopt, until};
}

std::optional<Refusal> incident(const Situation& situation, const Request& /*request*/) {
  const Candidate* active = find(situation.members, situation.state.active);
  // A key taken out of service by hand or by its expiry is left even then.
  if (active == nullptr || !active->frozen ||
      model::rotates_on(situation.pool, model::RotateOn::incident) ||
      active->state == model::KeyState::paused ||
      (active->expires_at && *active->expires_at <= situation.now))
    return std::nullopt;
  return Refusal{Guard::incident,
                 fmt::format("pool {}: the provider of {} has an incident, so nothing is switched "
                             "until it is over",
                             situation.pool.id, active->key),
                 std::nullopt, std::nullopt};
}

}  // namespace

Refusal in_progress(const Situation& situation, const model::Rotation& current) {
  return Refusal{
      Guard::conflict,
      fmt::format("pool {}: rotation {} to {} is in progress ({}); try again when it has "
                  "ended",
                  situation.pool.id, current.id, current.to, model::to_string(current.state)),
      std::nullopt, std::nullopt};
}

SetAside set_aside(const Situation& situation) {
  struct Refusals {
    WallTime last;
    int in_a_row = 0;
    bool ended = false;  // before these its rotations ended otherwise
  };
  std::map<std::string_view, Refusals> refused;
  for (const model::Rotation& rotation : situation.history) {
    if (!model::is_final(rotation.state))
      continue;
    Refusals& of_key = refused[rotation.to];
    of_key.ended = of_key.ended || rotation.state != model::RotationState::refused;
    if (!of_key.ended && ++of_key.in_a_row == 1)
      of_key.last = rotation.updated_at;
  }
  SetAside until;
  for (const auto& [key, of_key] : refused) {
    const WallTime end = of_key.last + back_off(of_key.in_a_row);
    if (of_key.in_a_row > 0 && situation.now >= of_key.last && situation.now < end)
      until.emplace(key, end);
  }
  return until;
}

const model::Rotation* running(const Situation& situation) {
  const auto found =
      std::find_if(situation.history.begin(), situation.history.end(),
                   [](const model::Rotation& rotation) { return is_in_progress(rotation); });
  return found == situation.history.end() ? nullptr : &*found;
}

std::optional<Refusal> held_back(const Situation& situation, const Request& request) {
  if (auto refusal = conflict(situation, request))
    return refusal;
  if (request.by_person)
    return std::nullopt;
  constexpr std::array kGuards{frozen, after_failures, incident, over_budget, too_soon, recovering};
  for (const auto guard : kGuards) {
    if (auto refusal = guard(situation, request))
      return refusal;
  }
  return std::nullopt;
}

}  // namespace keyherd::rotation
