#include "quota/forecast.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "model/money.hpp"

namespace keyherd::quota {

namespace {

__extension__ using Wide = __int128;

constexpr std::chrono::hours kNever{24 * 365 * 100};
// How far a pool without any reset is looked ahead.
constexpr std::chrono::hours kHorizon{24};

// One limit that members draw from.
struct Source {
  std::int64_t remaining = 0;
  std::int64_t limit = 0;
  std::optional<WallTime> resets_at;
};

// What some members can draw, of one unit.
struct Supply {
  bool endless = false;
  std::map<std::string, Source> sources;  // by quota and owner

  [[nodiscard]] std::int64_t remaining() const {
    if (endless)
      return std::numeric_limits<std::int64_t>::max();
    std::int64_t sum = 0;
    for (const auto& [id, source] : sources)
      sum = model::saturating_add(sum, source.remaining);
    return sum;
  }
};

using Members = std::vector<const PoolMember*>;

const model::QuotaStatus* tightest(const PoolMember& member, model::QuotaUnit unit) {
  const model::QuotaStatus* found = nullptr;
  for (const model::QuotaStatus& status : member.limits)
    if (status.unit == unit && (found == nullptr || status.remaining() < found->remaining()))
      found = &status;
  return found;
}

std::string id_of(const model::QuotaStatus& status) {
  return status.owner + "\n" + status.quota;
}

Supply supply_of(const Members& members, model::QuotaUnit unit) {
  Supply supply;
  for (const PoolMember* member : members) {
    const model::QuotaStatus* limit = tightest(*member, unit);
    if (limit == nullptr)
      supply.endless = true;
    else
      supply.sources[id_of(*limit)] = {limit->remaining(), limit->limit, limit->resets_at};
  }
  return supply;
}

// What the pool uses of a unit. Every member counts, also those that cannot be used any more:
// somebody must take their part over.
model::BurnRate demand_of(const std::vector<PoolMember>& members, model::QuotaUnit unit) {
  std::map<std::string, model::BurnRate> rates;
  for (const PoolMember& member : members)
    if (const model::QuotaStatus* limit = tightest(member, unit))
      rates[id_of(*limit)] = limit->burn;
  model::BurnRate demand;
  for (const auto& [id, rate] : rates) {
    demand.amount = model::saturating_add(demand.amount, rate.amount);
    demand.over = std::max(demand.over, rate.over);
  }
  return demand;
}

// When the demand meets the end of the supply; nothing when it does not before the last reset.
std::optional<WallTime> runs_dry_at(const Supply& supply, const model::BurnRate& demand,
                                    WallTime now) {
  if (supply.endless || demand.amount <= 0)
    return std::nullopt;
  std::multimap<WallTime, std::int64_t> refills;
  for (const auto& [id, source] : supply.sources)
    if (source.resets_at && *source.resets_at > now)
      refills.emplace(*source.resets_at, source.limit);
  if (refills.empty())
    refills.emplace(now + kHorizon, 0);
  std::int64_t total = supply.remaining();
  for (const auto& [at, amount] : refills) {
    const auto dry = used_up_at(total, demand, now);
    if (dry && *dry < at)
      return dry;
    total = model::saturating_add(total, amount);
  }
  return std::nullopt;
}

// What may be lost at once: the limit groups, where there are several, else the keys.
std::map<std::string, Members> parts_of(const std::vector<PoolMember>& members) {
  std::set<std::string> groups;
  for (const PoolMember& member : members)
    groups.insert(member.limit_group);
  std::map<std::string, Members> parts;
  for (const PoolMember& member : members)
    if (member.usable)
      parts[groups.size() > 1 ? member.limit_group : member.key].push_back(&member);
  return parts;
}

bool survives_biggest_loss(const std::map<std::string, Members>& parts, model::QuotaUnit unit,
                           const model::BurnRate& demand, WallTime now) {
  const auto biggest =
      std::max_element(parts.begin(), parts.end(), [&](const auto& a, const auto& b) {
        return supply_of(a.second, unit).remaining() < supply_of(b.second, unit).remaining();
      });
  Members left;
  for (auto part = parts.begin(); part != parts.end(); ++part)
    if (part != biggest)
      left.insert(left.end(), part->second.begin(), part->second.end());
  return !left.empty() && !runs_dry_at(supply_of(left, unit), demand, now);
}

}  // namespace

std::optional<WallTime> used_up_at(std::int64_t remaining, const model::BurnRate& rate,
                                   WallTime now) {
  if (rate.amount <= 0 || rate.over.count() <= 0)
    return std::nullopt;
  const Wide nanos = static_cast<Wide>(remaining) * rate.over.count() / rate.amount;
  const Wide most = std::chrono::nanoseconds(kNever).count();
  if (nanos > most)
    return std::nullopt;
  return now + std::chrono::nanoseconds(static_cast<std::int64_t>(nanos));
}

void add_forecast(model::QuotaStatus& status, bool rolling, WallTime now) {
  status.exhausted_at.reset();
  status.exhausts_before_reset = false;
  if (status.used >= status.limit)
    return;
  if (rolling && status.window_length &&
      static_cast<Wide>(status.burn.amount) * status.window_length->count() <=
          static_cast<Wide>(status.limit) * status.burn.over.count())
    return;
  status.exhausted_at = used_up_at(status.remaining(), status.burn, now);
  status.exhausts_before_reset = status.exhausted_at && (rolling || !status.resets_at ||
                                                         *status.exhausted_at < *status.resets_at);
}

PoolForecast forecast_pool(const std::vector<PoolMember>& members, WallTime now) {
  PoolForecast forecast;
  const std::map<std::string, Members> parts = parts_of(members);
  Members usable;
  for (const auto& [name, part] : parts)
    usable.insert(usable.end(), part.begin(), part.end());
  std::set<model::QuotaUnit> units;
  for (const PoolMember& member : members)
    for (const model::QuotaStatus& limit : member.limits)
      units.insert(limit.unit);
  for (const model::QuotaUnit unit : units) {
    const model::BurnRate demand = demand_of(members, unit);
    if (usable.empty() || demand.amount <= 0)
      continue;
    if (const auto dry = runs_dry_at(supply_of(usable, unit), demand, now))
      forecast.exhausted_at = std::min(forecast.exhausted_at.value_or(*dry), *dry);
    forecast.survives_key_loss =
        forecast.survives_key_loss && survives_biggest_loss(parts, unit, demand, now);
  }
  return forecast;
}

}  // namespace keyherd::quota
