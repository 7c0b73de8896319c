#include "rotation/planner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/time_text.hpp"
#include "rotation/guards.hpp"
#include "rotation/strategies.hpp"

namespace keyherd::rotation {

namespace {

constexpr std::array<std::string_view, 15> kGuardNames{
    "conflict",  "frozen",          "back_off",     "breaker",        "budget",
    "min_stay",  "recovery_wait",   "incident",     "already_active", "unknown_key",
    "unfit_key", "last_usable_key", "no_candidate", "no_slot",        "min_available"};

using Choices = std::vector<const Candidate*>;

Refusal refuse(Guard guard, std::string message) {
  return Refusal{guard, std::move(message), std::nullopt, std::nullopt};
}

Choices others(const Situation& situation, Demand demand) {
  Choices fit;
  for (const Candidate& member : situation.members) {
    if (member.key != situation.state.active &&
        !unfit(situation.pool, member, demand, situation.now))
      fit.push_back(&member);
  }
  return fit;
}

// Limits belong to a group, not to a key: another group's keys first, and alone if there are any.
void prefer_other_groups(Choices& ranked, const Candidate& active) {
  const auto is_other = [&](const Candidate* one) {
    return one->limit_group != active.limit_group;
  };
  if (std::none_of(ranked.begin(), ranked.end(), is_other))
    return;
  ranked.erase(std::remove_if(ranked.begin(), ranked.end(), std::not_fn(is_other)), ranked.end());
}

WallTime last_switch_to(const Situation& situation, const std::string& key) {
  for (const model::Rotation& rotation : situation.history) {
    if (rotation.to == key && rotation.state != model::RotationState::refused)
      return rotation.started_at;
  }
  return WallTime::min();
}

// Leaving a group at each switch, a round robin would come back to the same one key of every group;
// so the members of the group whose turn it is take turns.
void take_turns(const Situation& situation, Choices& ranked) {
  const std::string& group = ranked.front()->limit_group;
  auto turn = ranked.begin();
  WallTime longest_ago = last_switch_to(situation, (*turn)->key);
  for (auto one = turn + 1; one != ranked.end(); ++one) {
    if ((*one)->limit_group != group)
      continue;
    const WallTime at = last_switch_to(situation, (*one)->key);
    if (at < longest_ago) {
      longest_ago = at;
      turn = one;
    }
  }
  std::rotate(ranked.begin(), turn, turn + 1);
}

// What is worse than its rank says: in an emergency keys without fresh evidence; else keys that
// charge more than at other hours, where that matters to the pool, and keys that have just
// recovered.
void put_last(Choices& ranked, const Request& request, const Situation& situation) {
  const auto keep_first = [&](auto is_better) {
    std::stable_partition(ranked.begin(), ranked.end(), is_better);
  };
  if (model::rotates_on(situation.pool, model::RotateOn::dear))
    keep_first([](const Candidate* one) { return !one->dear; });
  keep_first(
      [&](const Candidate* one) { return !ramps_until(situation.pool, *one, situation.now); });
  if (request.urgent)
    keep_first([&](const Candidate* one) { return is_fresh(*one, situation.now); });
}

// The fit keys, without those set aside if there are any others.
Choices choices(const Situation& situation, const Request& request, const SetAside& aside) {
  const auto ready = [&](Choices fit) {
    std::erase_if(fit, [&](const Candidate* one) { return aside.contains(one->key); });
    return fit;
  };
  const Choices proven = others(situation, Demand::proven);
  if (Choices fit = ready(proven); !fit.empty())
    return fit;
  if (!request.urgent)
    return proven;
  const Choices at_need = others(situation, Demand::at_need);
  if (Choices fit = ready(at_need); !fit.empty())
    return fit;
  return proven.empty() ? at_need : proven;
}

Choices ranked_choices(const Situation& situation, const Request& request, const SetAside& aside) {
  Choices fit = choices(situation, request, aside);
  Choices ranked =
      rank(situation.pool.strategy, situation.members, std::move(fit), situation.state.active);
  if (const Candidate* active = find(situation.members, situation.state.active);
      active != nullptr && !ranked.empty()) {
    prefer_other_groups(ranked, *active);
    if (situation.pool.strategy == model::Strategy::round_robin &&
        ranked.front()->limit_group != active->limit_group)
      take_turns(situation, ranked);
  }
  put_last(ranked, request, situation);
  return ranked;
}

// "k2 is dead, k3 is not verified yet, and 4 more".
std::string reasons(const Situation& situation, Demand demand) {
  constexpr std::size_t kShown = 5;
  std::size_t count = 0;
  std::string text;
  for (const Candidate& member : situation.members) {
    const auto reason = unfit(situation.pool, member, demand, situation.now);
    if (member.key == situation.state.active || !reason || ++count > kShown)
      continue;
    text += (text.empty() ? "" : ", ") + member.key + " " + *reason;
  }
  if (count > kShown)
    text += fmt::format(", and {} more", count - kShown);
  return text.empty() ? "it has no other key" : text;
}

std::optional<WallTime> first_cooldown_end(const Situation& situation) {
  std::optional<WallTime> first;
  for (const Candidate& member : situation.members) {
    if (member.cooldown_until && *member.cooldown_until > situation.now)
      first = std::min(first.value_or(*member.cooldown_until), *member.cooldown_until);
  }
  return first;
}

Refusal nowhere_to_go(const Situation& situation, const Request& request) {
  const Demand demand = request.urgent ? Demand::at_need : Demand::proven;
  const Candidate* active = find(situation.members, situation.state.active);
  const bool active_works =
      active != nullptr && !unfit(situation.pool, *active, Demand::at_need, situation.now);
  Refusal refusal;
  refusal.guard = active_works ? Guard::last_usable_key : Guard::no_candidate;
  refusal.message = fmt::format(
      "pool {}: {}: {}", situation.pool.id,
      active_works ? fmt::format("{} is the last usable key and stays active", active->key)
                   : std::string("no usable key to switch to"),
      reasons(situation, demand));
  refusal.until = first_cooldown_end(situation);
  const bool still_proving =
      std::any_of(situation.members.begin(), situation.members.end(),
                  [](const Candidate& member) { return member.state == model::KeyState::unknown; });
  // At a start the keys are not proven yet: that is no failure.
  if (!situation.state.active.empty() || !still_proving)
    refusal.failure = model::RotationFailure::no_candidate;
  return refusal;
}

tl::expected<const Candidate*, Refusal> named_choice(const Situation& situation,
                                                     const Request& request) {
  const std::string& to = *request.to;
  const model::Pool& pool = situation.pool;
  const Candidate* named = find(situation.members, to);
  if (named == nullptr) {
    return tl::unexpected(refuse(
        Guard::unknown_key,
        fmt::format("pool {} has no key {}; it has: {}", pool.id, to, fmt::join(pool.keys, ", "))));
  }
  if (to == situation.state.active) {
    return tl::unexpected(refuse(
        Guard::already_active, fmt::format("pool {}: {} is the active key already", pool.id, to)));
  }
  const Demand demand = request.by_person ? Demand::named : Demand::proven;
  if (const auto reason = unfit(pool, *named, demand, situation.now)) {
    return tl::unexpected(
        refuse(Guard::unfit_key, fmt::format("pool {}: {} {}", pool.id, to, *reason)));
  }
  return named;
}

// The key that gets the next secret: an empty one before one that does not work, and that before a
// spare that does.
tl::expected<const Candidate*, Refusal> free_slot(const Situation& situation) {
  const Candidate* best = nullptr;
  const auto rank_of = [](const Candidate& one) {
    return !one.secret_loaded ? 0 : model::is_usable(one.state) ? 2 : 1;
  };
  std::string busy;
  for (const Candidate& member : situation.members) {
    if (member.key == situation.state.active)
      continue;
    if (member.slot == Candidate::Slot::busy)
      busy += (busy.empty() ? "" : ", ") + member.key + " " + member.slot_note;
    if (member.slot == Candidate::Slot::free &&
        (best == nullptr || rank_of(member) < rank_of(*best)))
      best = &member;
  }
  if (best != nullptr)
    return best;
  return tl::unexpected(refuse(
      Guard::no_slot,
      fmt::format("pool {}: no key is free for a new secret: {}", situation.pool.id,
                  busy.empty() ? "it needs a second one with secret = \"keyring:…\"" : busy)));
}

// Whether the rotation is to be made by a new secret: unless a working key is there for one that
// fails, or a person names one.
tl::expected<const Candidate*, Refusal> choose_slot(const Situation& situation,
                                                    const Request& request, const SetAside& aside) {
  if (!model::makes_secrets(situation.pool.mode))
    return nullptr;
  if (request.to) {
    const Candidate* named = find(situation.members, *request.to);
    const bool empty =
        named != nullptr && named->slot == Candidate::Slot::free && !named->secret_loaded;
    return empty ? named : nullptr;
  }
  if (request.urgent && !ranked_choices(situation, request, aside).empty())
    return nullptr;
  return free_slot(situation);
}

tl::expected<const Candidate*, Refusal> choose(const Situation& situation, const Request& request,
                                               const SetAside& aside) {
  if (request.to)
    return named_choice(situation, request);
  const Choices ranked = ranked_choices(situation, request, aside);
  if (ranked.empty())
    return tl::unexpected(nowhere_to_go(situation, request));
  return ranked.front();
}

std::optional<Refusal> too_soon_again(const Situation& situation, const Request& request,
                                      const Candidate& to, const SetAside& aside) {
  const auto found = aside.find(to.key);
  if (found == aside.end() || request.by_person)
    return std::nullopt;
  return Refusal{
      Guard::back_off,
      fmt::format("pool {}: {} could not be proven a moment ago; the next attempt is due at {}",
                  situation.pool.id, to.key, format_rfc3339(found->second)),
      std::nullopt, found->second};
}

// How many keys would work once the rotation has ended its `from`.
std::optional<Refusal> leaves_too_few(const Situation& situation, const Request& request,
                                      const Candidate& to) {
  const model::Pool& pool = situation.pool;
  if (request.by_person || request.urgent || pool.mode == model::RotationMode::switch_ ||
      pool.mode == model::RotationMode::slot || situation.state.active.empty())
    return std::nullopt;
  int left = 1;  // `to`
  for (const Candidate* member : usable(pool, situation.members, situation.now))
    left += member->key != to.key && member->key != situation.state.active ? 1 : 0;
  if (left >= pool.min_available)
    return std::nullopt;
  return refuse(
      Guard::min_available,
      fmt::format("pool {}: once {} is ended {} usable keys are left, and min_available is "
                  "{}; mend or add keys, or run keyherd rotate {}",
                  pool.id, situation.state.active, left, pool.min_available, pool.id));
}

}  // namespace

std::string_view to_string(Guard guard) {
  return kGuardNames[static_cast<std::size_t>(guard)];
}

tl::expected<Plan, Refusal> plan(const Situation& situation, const Request& request) {
  if (auto refusal = held_back(situation, request))
    return tl::unexpected(std::move(*refusal));
  const SetAside aside = set_aside(situation);
  const auto slot = choose_slot(situation, request, aside);
  if (!slot)
    return tl::unexpected(slot.error());
  const bool mint = *slot != nullptr;
  const model::Rotation* overtaken = running(situation);
  // Nothing is gained by beginning anew what is on its way.
  if (mint && overtaken != nullptr)
    return tl::unexpected(in_progress(situation, *overtaken));
  const auto chosen = mint ? slot : choose(situation, request, aside);
  if (!chosen)
    return tl::unexpected(chosen.error());
  if (!mint) {  // a new secret is another matter
    if (auto refusal = too_soon_again(situation, request, **chosen, aside))
      return tl::unexpected(std::move(*refusal));
  }
  if (auto refusal = leaves_too_few(situation, request, **chosen))
    return tl::unexpected(std::move(*refusal));
  Plan result;
  result.pool = situation.pool.id;
  result.from = situation.state.active;
  result.to = (*chosen)->key;
  result.trigger = request.trigger;
  result.reason = request.reason;
  result.actor = request.actor;
  result.mint = mint;
  result.verify_first = mint || !request.urgent || !is_fresh(**chosen, situation.now);
  if (overtaken != nullptr)
    result.supersedes = overtaken->id;
  return result;
}

Request scheduled(const model::Pool& pool) {
  Request request;
  request.trigger = model::RotationTrigger::schedule;
  request.reason = fmt::format("the schedule {} ({}) is due", pool.schedule, pool.timezone);
  return request;
}

std::vector<std::string> describe(const Plan& plan, const model::Pool& pool) {
  std::vector<std::string> steps;
  if (!plan.supersedes.empty())
    steps.push_back("close rotation " + plan.supersedes + ", which can be overtaken");
  if (plan.mint)
    steps.push_back("have issuer " + pool.issuer + " make a new secret for " + plan.to +
                    ", seal it, and probe it until it is proven");
  else if (plan.verify_first)
    steps.push_back("probe " + plan.to + ", and go on only if the answer is ok");
  else
    steps.push_back("trust " + plan.to + ": its latest evidence is ok and fresh");
  for (const model::PublishTarget& target : pool.publish) {
    if (std::holds_alternative<model::PublishFile>(target))
      steps.push_back("write " + plan.to + " to " + model::describe(target));
  }
  steps.push_back(plan.from.empty()
                      ? "make " + plan.to + " the active key"
                      : "make " + plan.to + " the active key in place of " + plan.from);
  for (const model::PublishTarget& target : pool.publish) {
    if (!std::holds_alternative<model::PublishFile>(target))
      steps.push_back("call " + model::describe(target));
  }
  steps.push_back(plan.from.empty() ? "probe " + plan.to + " again"
                                    : "probe " + plan.to + " again, and go back to " + plan.from +
                                          " if it does not work");
  if (pool.mode != model::RotationMode::switch_ && !plan.from.empty())
    steps.push_back("end " + plan.from + " at its provider, not before " +
                    format_duration(pool.overlap) +
                    " have passed and the usage logs show nobody on it any more");
  return steps;
}

bool refresh_due(const model::Pool& pool, const model::PoolState& state, WallTime now) {
  return !state.active.empty() &&
         (now - state.decided_at >= pool.valid_for / 2 || now < state.decided_at);
}

}  // namespace keyherd::rotation
