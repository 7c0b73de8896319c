#include "engine/dispensing.hpp"

#include <algorithm>
#include <utility>

#include "engine/pool_prices.hpp"

namespace keyherd::engine {

void Dispensing::configure(std::shared_ptr<const Setup> setup) {
  setup_ = std::move(setup);
  prices_.clear();
  auto tables = std::make_shared<Dispensers>(*tables_);
  std::erase_if(*tables, [&](const auto& table) { return find(table.first) == nullptr; });
  std::erase_if(loads_, [&](const auto& load) { return !setup_->secrets.contains(load.first); });
  tables_ = std::move(tables);
}

const model::Pool* Dispensing::find(const std::string& pool) const {
  const auto& pools = setup_->config.pools;
  const auto found =
      std::find_if(pools.begin(), pools.end(), [&](const auto& one) { return one.id == pool; });
  return found == pools.end() ? nullptr : &*found;
}

void Dispensing::begin(const std::string& pool, Instant now) {
  const model::Pool* known = find(pool);
  if (known == nullptr || tables_->contains(pool))
    return;
  auto tables = std::make_shared<Dispensers>(*tables_);
  tables->emplace(pool, make(*known, now));
  tables_ = std::move(tables);
}

void Dispensing::refresh(const std::set<std::string>& pools, const std::set<std::string>& keys,
                         Instant now) {
  if (tables_->empty() || (pools.empty() && keys.empty()))
    return;
  auto tables = std::make_shared<Dispensers>();
  for (const auto& [id, table] : *tables_) {
    const model::Pool& pool = *find(id);
    if (pools.contains(id)) {
      tables->emplace(id, make(pool, now));
      continue;
    }
    rotation::Dispenser::Members changed;
    for (const std::string& key : keys) {
      if (table->find(key) != nullptr)
        changed.push_back(member(pool, key, now));
    }
    tables->emplace(id, changed.empty()
                            ? table
                            : std::make_shared<const rotation::Dispenser>(table->with(changed)));
  }
  tables_ = std::move(tables);
}

std::shared_ptr<const rotation::Dispenser> Dispensing::make(const model::Pool& pool, Instant now) {
  rotation::Dispenser::Members members;
  for (const std::string& key : pool.keys) {
    if (parts_.record(key) != nullptr)
      members.push_back(member(pool, key, now));
  }
  auto made = std::make_shared<rotation::Dispenser>(pool.id, pool.strategy, std::move(members));
  if (const auto before = tables_->find(pool.id); before != tables_->end())
    made->go_on_from(*before->second);
  return made;
}

std::shared_ptr<const rotation::Member> Dispensing::member(const model::Pool& pool,
                                                           const std::string& key, Instant now) {
  const KeyRecord& record = *parts_.record(key);
  rotation::Candidate candidate = *parts_.candidate(key, now);
  if (rotation::depends_on_prices(pool))
    candidate.price = price_at(record.key.provider, now.wall);
  auto member =
      std::make_shared<rotation::Member>(rotation::make_member(pool, candidate, now.wall));
  // Where secrets are ended after a switch, only the one that was switched to lasts.
  if (pool.mode != model::RotationMode::switch_ && key != parts_.active(pool.id)) {
    member->tier = rotation::Member::Tier::unfit;
    member->unfit_because = "is not the active one, and only that lasts in the pool's mode";
  }
  model::UsageCounts used;
  for (const auto& [model, counts] : record.usage_by_model)
    used.add(counts);
  if (used.requests > 0) {
    member->usual_input = used.input / used.requests;
    member->usual_output = used.output / used.requests;
  }
  member->load = load_of(record);
  member->secret = record.secret.secret;
  member->provider = setup_->providers.at(record.key.provider);
  return member;
}

std::optional<model::NanoUsd> Dispensing::price_at(const std::string& provider, WallTime now) {
  if (std::exchange(priced_at_, now) != now)
    prices_.clear();
  const auto [known, is_new] = prices_.try_emplace(provider);
  if (is_new) {
    if (const auto price = mix_price(*setup_->providers.at(provider), {}, now))
      known->second = price->now;
  }
  return known->second;
}

// Another secret has nothing to do with what the last one was refused for.
std::shared_ptr<rotation::KeyLoad> Dispensing::load_of(const KeyRecord& record) {
  Load& known = loads_[record.key.id];
  if (!known.load || known.fingerprint != record.secret.fingerprint)
    known = {record.secret.fingerprint, std::make_shared<rotation::KeyLoad>()};
  return known.load;
}

}  // namespace keyherd::engine
