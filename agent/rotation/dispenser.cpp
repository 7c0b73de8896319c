#include "rotation/dispenser.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/time_text.hpp"

namespace keyherd::rotation {

namespace {

constexpr std::chrono::seconds kSlotLength{100};
constexpr std::chrono::seconds kAskAgain{1};
constexpr std::size_t kNamedInReasons = 3;
// Of a thousand keys the best of these is as good as the best of all, and a decision stays short.
constexpr std::size_t kMostLookedAt = 64;

std::uint64_t slot_number(SteadyTime now) {
  return static_cast<std::uint64_t>(now.time_since_epoch() / kSlotLength) & 0xffffffffU;
}

std::uint64_t count_of(std::uint64_t slot) {
  return slot & 0xffffffffU;
}

bool names(const std::vector<std::string>& list, const std::string& key) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

std::int64_t used_of(model::QuotaUnit unit, const Spent& spent) {
  switch (unit) {
    case model::QuotaUnit::tokens:
      return spent.input_tokens + spent.output_tokens;
    case model::QuotaUnit::input_tokens:
      return spent.input_tokens;
    case model::QuotaUnit::output_tokens:
      return spent.output_tokens;
    case model::QuotaUnit::requests:
      return spent.requests;
    case model::QuotaUnit::usd:
      return 0;  // priced when it is counted
  }
  return 0;
}

}  // namespace

void KeyLoad::handed_out(SteadyTime now) {
  const std::uint64_t number = slot_number(now);
  std::atomic<std::uint64_t>& slot = out_[number % kSlots];
  std::uint64_t seen = slot.load(std::memory_order_relaxed);
  std::uint64_t next = 0;
  do {
    next = (seen >> 32U) == number ? seen + 1 : (number << 32U) | 1U;
  } while (!slot.compare_exchange_weak(seen, next, std::memory_order_relaxed));
}

// Whichever is out longest: requests are alike.
void KeyLoad::came_back(SteadyTime now) {
  const std::uint64_t number = slot_number(now);
  for (std::uint64_t age = kSlots; age-- > 0;) {
    std::atomic<std::uint64_t>& slot = out_[(number - age) % kSlots];
    std::uint64_t seen = slot.load(std::memory_order_relaxed);
    while ((seen >> 32U) == ((number - age) & 0xffffffffU) && count_of(seen) > 0) {
      if (slot.compare_exchange_weak(seen, seen - 1, std::memory_order_relaxed))
        return;
    }
  }
}

std::int64_t KeyLoad::in_flight(SteadyTime now) const {
  const std::uint64_t number = slot_number(now);
  std::int64_t sum = 0;
  for (const auto& slot : out_) {
    const std::uint64_t seen = slot.load(std::memory_order_relaxed);
    if (((number - (seen >> 32U)) & 0xffffffffU) < kSlots)
      sum += static_cast<std::int64_t>(count_of(seen));
  }
  return sum;
}

void KeyLoad::add_uncounted(const Spent& spent) {
  requests_.fetch_add(spent.requests, std::memory_order_relaxed);
  input_.fetch_add(spent.input_tokens, std::memory_order_relaxed);
  output_.fetch_add(spent.output_tokens, std::memory_order_relaxed);
}

void KeyLoad::remove_uncounted(const Spent& spent) {
  add_uncounted({-spent.requests, -spent.input_tokens, -spent.output_tokens});
}

Spent KeyLoad::uncounted() const {
  return {requests_.load(std::memory_order_relaxed), input_.load(std::memory_order_relaxed),
          output_.load(std::memory_order_relaxed)};
}

bool KeyLoad::takes_part(double share) {
  const double before = asked_.fetch_add(1, std::memory_order_relaxed);
  return std::floor((before + 1) * share) > std::floor(before * share);
}

void KeyLoad::skip(WallTime now, WallTime until, bool until_ok) {
  // Without a time no success is later than it.
  const WallTime at = until_ok ? now : WallTime::max();
  skipped_at_.store(at.time_since_epoch().count(), std::memory_order_relaxed);
  skip_until_.store(until.time_since_epoch().count(), std::memory_order_release);
}

std::optional<WallTime> KeyLoad::skipped(WallTime now, std::optional<WallTime> last_ok_at) const {
  const WallTime until(WallTime::duration(skip_until_.load(std::memory_order_acquire)));
  if (until <= now)
    return std::nullopt;
  const WallTime at(WallTime::duration(skipped_at_.load(std::memory_order_relaxed)));
  return last_ok_at && *last_ok_at > at ? std::nullopt : std::optional(until);
}

Member make_member(const model::Pool& pool, const Candidate& candidate, WallTime now) {
  Member member;
  member.key = candidate.key;
  member.merits = merits_of(candidate);
  member.last_ok_at = candidate.last_ok_at;
  member.expires_at = candidate.expires_at;
  if (const auto end = ramps_until(pool, candidate, now))
    member.ramp = std::pair(*candidate.state_since, *end);
  for (const model::QuotaStatus& quota : candidate.quotas)
    member.limits.push_back({quota.unit, quota.remaining(), quota.limit, reserve(pool, quota)});
  Candidate calm = candidate;
  calm.frozen = false;  // an incident condemns no key
  if (!unfit(pool, candidate, Demand::proven, now)) {
    member.tier = Member::Tier::proven;
  } else if (!unfit(pool, candidate, Demand::at_need, now)) {
    member.tier = Member::Tier::at_need;
  } else if (const auto why = unfit(pool, calm, Demand::at_need, now)) {
    member.unfit_because = *why;
    member.cooldown_until = candidate.cooldown_until;
  } else {
    member.tier = Member::Tier::in_incident;
  }
  return member;
}

// How a member compares with the others at this moment.
struct Dispenser::Standing {
  Member::Tier tier;
  Preference preference;
  std::int64_t in_flight;
  std::size_t distance;

  [[nodiscard]] bool is_better_than(const Standing& other) const {
    if (tier != other.tier)
      return tier < other.tier;
    if (preference != other.preference)
      return other.preference < preference;
    return std::tie(in_flight, distance) < std::tie(other.in_flight, other.distance);
  }
};

Dispenser::Dispenser(std::string pool, model::Strategy strategy, Members members)
    : pool_(std::move(pool)),
      strategy_(strategy),
      members_(std::move(members)),
      groups_(grouped(strategy_, members_)) {
  auto places = std::make_shared<std::map<std::string, std::size_t, std::less<>>>();
  for (std::size_t place = 0; place < members_.size(); ++place)
    places->emplace(members_[place]->key, place);
  places_ = std::move(places);
}

Dispenser Dispenser::with(const Members& changed) const {
  Dispenser next = *this;
  for (const auto& member : changed) {
    if (const auto place = places_->find(member->key); place != places_->end())
      next.members_[place->second] = member;
  }
  next.groups_ = grouped(strategy_, next.members_);
  return next;
}

std::vector<Dispenser::Group> Dispenser::grouped(model::Strategy strategy, const Members& members) {
  struct Place {
    Member::Tier tier;
    Preference at_best;
    std::size_t place;
  };
  std::vector<Place> order;
  for (std::size_t place = 0; place < members.size(); ++place) {
    if (members[place]->tier != Member::Tier::unfit)
      order.push_back({members[place]->tier, preference(strategy, members[place]->merits), place});
  }
  std::sort(order.begin(), order.end(), [](const Place& a, const Place& b) {
    if (a.tier != b.tier)
      return a.tier < b.tier;
    return a.at_best == b.at_best ? a.place < b.place : b.at_best < a.at_best;
  });
  std::vector<Group> groups;
  for (const Place& one : order) {
    if (groups.empty() || groups.back().tier != one.tier || groups.back().at_best != one.at_best)
      groups.push_back({one.tier, one.at_best, {}});
    groups.back().places.push_back(one.place);
  }
  return groups;
}

// Nothing: it may not be handed out.
std::optional<Dispenser::Standing> Dispenser::look_at(std::size_t place, std::size_t start,
                                                      Instant now) const {
  const Member& member = *members_[place];
  if (member.load->skipped(now.wall, member.last_ok_at) ||
      (member.expires_at && *member.expires_at <= now.wall))
    return std::nullopt;
  const std::size_t distance = distance_round(place, start, members_.size());
  const bool in_turn = strategy_ == model::Strategy::round_robin;
  const std::int64_t in_flight = in_turn ? 0 : member.load->in_flight(now.steady);
  const Spent reported = member.load->uncounted();
  // What is out will be used, too: it weighs, but condemns nobody.
  const Spent expected{reported.requests + in_flight,
                       reported.input_tokens + in_flight * member.usual_input,
                       reported.output_tokens + in_flight * member.usual_output};
  Merits merits = member.merits;
  for (const Member::Limit& limit : member.limits) {
    if (limit.remaining - used_of(limit.unit, reported) <= limit.reserve)
      return std::nullopt;
    const std::int64_t left = limit.remaining - used_of(limit.unit, expected);
    merits.share_left =
        std::min(merits.share_left, share_left(std::max<std::int64_t>(left, 0), limit.limit));
  }
  merits.tokens_used += expected.input_tokens + expected.output_tokens;
  return Standing{member.tier, preference(strategy_, merits), in_flight, distance};
}

std::optional<std::size_t> Dispenser::choose(Instant now, std::size_t start,
                                             const std::vector<std::string>& exclude,
                                             bool ramped) const {
  std::optional<std::size_t> best;
  std::optional<Standing> best_standing;
  std::size_t looked_at = 0;
  for (const Group& group : groups_) {
    if (best && (best_standing->tier < group.tier || group.at_best < best_standing->preference))
      break;
    const std::size_t first = static_cast<std::size_t>(
        std::lower_bound(group.places.begin(), group.places.end(), start) - group.places.begin());
    for (std::size_t i = 0; i < group.places.size(); ++i) {
      const std::size_t place = group.places[(first + i) % group.places.size()];
      if (!exclude.empty() && names(exclude, members_[place]->key))
        continue;
      const auto& ramp = members_[place]->ramp;
      if (ramped && ramp &&
          !members_[place]->load->takes_part(ramp_share(ramp->first, ramp->second, now.wall)))
        continue;
      const auto standing = look_at(place, start, now);
      if (standing && ++looked_at > kMostLookedAt)
        return best;
      if (!standing || (best && !standing->is_better_than(*best_standing)))
        continue;
      best = place;
      best_standing = standing;
      // As good as can be, and no later one comes sooner in the round.
      if (standing->preference == group.at_best && standing->in_flight == 0)
        return best;
    }
  }
  return best;
}

const Member* Dispenser::next(Instant now, const std::vector<std::string>& exclude) const {
  if (members_.empty())
    return nullptr;
  std::size_t last = last_->load(std::memory_order_relaxed);
  std::optional<std::size_t> place;
  do {
    place = choose(now, last % members_.size(), exclude, true);
    if (!place)
      place = choose(now, last % members_.size(), exclude, false);
    if (!place)
      return nullptr;
    // Another thread took its turn meanwhile: with the round it matters who was next.
  } while (!last_->compare_exchange_weak(last, *place + 1, std::memory_order_relaxed) &&
           strategy_ == model::Strategy::round_robin);
  const Member& member = *members_[*place];
  member.load->handed_out(now.steady);
  return &member;
}

Dispenser::Nothing Dispenser::explain(Instant now, const std::vector<std::string>& exclude) const {
  Nothing nothing{"no key of pool " + pool_ + " may be handed out now", now.wall + kAskAgain};
  std::optional<WallTime> soonest;
  std::size_t told = 0;
  for (const auto& member : members_) {
    std::string why = member->unfit_because;
    std::optional<WallTime> again = member->cooldown_until;
    if (names(exclude, member->key)) {
      why = "is excluded";
    } else if (const auto until = member->load->skipped(now.wall, member->last_ok_at);
               until && member->tier != Member::Tier::unfit) {
      why = "was just refused, and is left alone until " + format_rfc3339(*until);
      again = until;
    } else if (member->tier != Member::Tier::unfit) {
      why = "is used up by what was just reported, or expired";
    }
    if (again && *again > now.wall)
      soonest = std::min(soonest.value_or(*again), *again);
    if (told++ < kNamedInReasons)
      nothing.message += (told == 1 ? ": " : "; ") + member->key + " " + why;
  }
  if (told > kNamedInReasons)
    nothing.message += "; and " + std::to_string(told - kNamedInReasons) + " more";
  nothing.ask_again = soonest.value_or(nothing.ask_again);
  return nothing;
}

const Member* Dispenser::find(std::string_view key) const {
  const auto place = places_->find(key);
  return place == places_->end() ? nullptr : members_[place->second].get();
}

}  // namespace keyherd::rotation
