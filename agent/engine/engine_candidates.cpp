// The keys of a pool as the planner sees them: made from what is believed of them.

#include <cmath>

#include "engine/engine.hpp"
#include "engine/pool_prices.hpp"

namespace keyherd::engine {

// Of its latest requests, else of its last probe.
static std::optional<std::chrono::nanoseconds> latency_of(const KeyRecord& record, WallTime now) {
  if (const auto mean = record.latency.ratio(now))
    return std::chrono::nanoseconds(std::llround(*mean * 1e6));
  return record.last_probe ? std::optional(record.last_probe->latency) : std::nullopt;
}

// Looked up where the pool's choice depends on them: time zones are slow.
void Engine::add_prices(const model::Pool& pool, std::vector<rotation::Candidate>& members,
                        Instant now) const {
  if (!rotation::depends_on_prices(pool))
    return;
  std::map<std::string, std::map<std::string, model::UsageCounts>> used;  // by provider and model
  for (const rotation::Candidate& member : members) {
    const KeyRecord& record = *herd_.find(member.key);
    for (const auto& [model, counts] : record.usage_by_model)
      used[record.key.provider][model].add(counts);
  }
  std::map<std::string, std::optional<MixPrice>> prices;
  for (rotation::Candidate& member : members) {
    const std::string& provider = herd_.find(member.key)->key.provider;
    const auto [price, is_new] = prices.try_emplace(provider);
    if (is_new)
      price->second = mix_price(*setup_->providers.at(provider), used[provider], now.wall);
    if (price->second) {
      member.price = price->second->now;
      member.dear = price->second->now > price->second->lowest;
      member.by_the_hour = price->second->highest > price->second->lowest;
    }
  }
}

std::vector<rotation::Candidate> Engine::candidates(const model::Pool& pool, Instant now) const {
  std::vector<rotation::Candidate> members;
  for (const std::string& id : pool.keys) {
    if (auto member = candidate(id, now))
      members.push_back(std::move(*member));
  }
  add_prices(pool, members, now);
  return members;
}

std::optional<rotation::Candidate> Engine::candidate(const std::string& id, Instant now) const {
  const KeyRecord* record = herd_.find(id);
  const model::KeyHealth* health = herd_.tracker().health(id);
  if (record == nullptr || health == nullptr)
    return std::nullopt;
  rotation::Candidate member;
  member.key = id;
  member.limit_group = record->key.limit_group.empty() ? id : record->key.limit_group;
  member.priority = record->key.priority;
  member.state = health->state;
  member.verdict = health->verdict;
  member.verified = record->verified;
  member.last_ok_at = record->last_ok_at;
  member.probe_interval = probing_.interval(id);
  member.secret_loaded = record->secret.secret != nullptr;
  member.drilled = drills_.condemns(id);
  member.frozen = herd_.providers().at(record->key.provider).incident.has_value();
  member.state_since = health->since;
  member.recovered = record->recovered;
  member.error_ratio = record->errors.ratio(now.wall);
  member.latency = latency_of(*record, now.wall);
  for (const auto& [model, counts] : record->usage_by_model)
    member.tokens_used = model::saturating_add(member.tokens_used,
                                               model::saturating_add(counts.input, counts.output));
  member.quotas = accounting_.limits_of(record->key, now.wall);
  member.cooldown_until = health->cooldown_until;
  member.expires_at = record->expires_at();
  return member;
}

}  // namespace keyherd::engine
