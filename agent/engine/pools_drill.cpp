// What a drill wants of the pools: whether it may be, how far the switch is, and the way back.

#include <algorithm>

#include "engine/pools.hpp"

namespace keyherd::engine {

bool Pools::has_member(const std::string& pool, const std::string& key) const {
  const auto found = records_.find(pool);
  return found != records_.end() &&
         std::find(found->second.pool.keys.begin(), found->second.pool.keys.end(), key) !=
             found->second.pool.keys.end();
}

std::optional<std::string> Pools::why_no_drill(const std::string& pool, const std::string& key,
                                               Instant now) const {
  const Record& asked = records_.at(pool);
  if (asked.state.active != key)
    return "key " + key + " is not the active one of pool " + pool + " (" +
           (asked.state.active.empty() ? "none is" : asked.state.active + " is") +
           "): that a spare fails moves nobody; rotate to it first";
  const auto [first, last] = pools_of_key_.equal_range(key);
  for (auto one = first; one != last; ++one) {
    if (auto why = harm_of_drill(records_.at(one->second), key, now))
      return why;
  }
  return std::nullopt;
}

std::optional<std::string> Pools::harm_of_drill(const Record& record, const std::string& key,
                                                Instant now) const {
  if (record.pool.mode != model::RotationMode::switch_)
    return "pool " + record.pool.id + " has the mode " +
           std::string(model::to_string(record.pool.mode)) +
           ": what it leaves is ended at the provider, so a drill would be no drill";
  std::vector<rotation::Candidate> members = members_of(record, now);
  const bool had_any = !rotation::usable(record.pool, members, now.wall).empty();
  for (rotation::Candidate& member : members) {
    if (member.key != key)
      continue;
    if (const auto why = rotation::unfit(record.pool, member, rotation::Demand::at_need, now.wall))
      return "key " + key + " " + *why + ": there is nothing to try out";
    member.drilled = true;
  }
  if (record.state.active != key) {
    if (had_any && rotation::usable(record.pool, members, now.wall).empty())
      return "pool " + record.pool.id + " would be left without a usable key";
    return std::nullopt;
  }
  rotation::Request request;
  request.trigger = model::RotationTrigger::drill;
  request.urgent = true;
  const std::vector<model::Rotation> history(record.history.begin(), record.history.end());
  const auto plan = rotation::plan(
      {record.pool, record.state, members, history, now.wall, freeze_of(record, now.wall)},
      request);
  if (plan && !record.deciding)
    return std::nullopt;
  return "it would hurt: " +
         (plan ? "pool " + record.pool.id + " is about to switch" : plan.error().message);
}

std::optional<model::Rotation> Pools::drill_rotation(const std::string& pool,
                                                     const std::string& key, WallTime since) const {
  const auto found = records_.find(pool);
  if (found == records_.end())
    return std::nullopt;
  for (const model::Rotation& row : found->second.history) {
    if (row.trigger == model::RotationTrigger::drill && row.from == key && row.started_at >= since)
      return row;
  }
  return std::nullopt;
}

std::optional<std::string> Pools::go_back(const std::string& pool, const std::string& key,
                                          const std::string& actor, Instant now) {
  const auto found = records_.find(pool);
  if (found == records_.end() || found->second.state.active == key)
    return std::nullopt;
  Record& record = found->second;
  rotation::Request request;
  request.trigger = model::RotationTrigger::drill;
  request.to = key;
  request.reason = "the drill is over";
  request.actor = actor;
  request.by_person = true;
  request.urgent = true;
  const auto plan = plan_for(record, request, now);
  if (!plan)
    return "the pool stays with " + record.state.active + ": " + plan.error().message;
  start(record, *plan, now);
  return std::nullopt;
}

}  // namespace keyherd::engine
