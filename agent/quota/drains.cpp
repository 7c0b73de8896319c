#include "quota/drains.hpp"

#include <algorithm>

namespace keyherd::quota {

namespace {

constexpr std::string_view kUsd = "USD";

std::optional<model::NanoUsd> in_usd(const model::Balance& amount, const Wallet& wallet) {
  if (amount.currency == kUsd)
    return amount.nanos;
  const auto rate = wallet.rates.find(amount.currency);
  if (rate == wallet.rates.end())
    return std::nullopt;
  return model::convert(amount.nanos, rate->second);
}

}  // namespace

Drains::Drains(std::vector<Wallet> wallets) : wallets_(std::move(wallets)) {
  for (const Wallet& wallet : wallets_)
    for (const std::string& key : wallet.keys)
      records_.try_emplace(key);
}

Drains::Record* Drains::find(const std::string& key) {
  const auto found = records_.find(key);
  return found == records_.end() ? nullptr : &found->second;
}

void Drains::add(const model::UsageRow& row) {
  Record* record = find(row.key);
  if (record == nullptr)
    return;
  auto place = std::lower_bound(
      record->spent.begin(), record->spent.end(), row.bucket,
      [](const Spent& spent, std::int64_t bucket) { return spent.bucket < bucket; });
  if (place == record->spent.end() || place->bucket != row.bucket)
    place = record->spent.insert(place, Spent{row.bucket, row.width, 0, 0, 0});
  place->width = std::max(place->width, row.width);
  place->cost = model::saturating_add(place->cost, row.counts.cost);
  place->requests = model::saturating_add(place->requests, row.counts.requests);
  place->unpriced = model::saturating_add(place->unpriced, row.counts.unpriced);
}

void Drains::add(const model::BalanceDrop& drop) {
  if (Record* record = find(drop.key))
    record->drops.push_back(drop);
}

void Drains::forget_before(WallTime time) {
  const std::int64_t bucket = model::bucket_of(time);
  for (auto& [key, record] : records_) {
    std::erase_if(record.spent, [&](const Spent& spent) { return spent.bucket < bucket; });
    std::erase_if(record.drops, [&](const model::BalanceDrop& drop) { return drop.since < time; });
  }
}

void Drains::inherit(const Drains& previous) {
  for (auto& [key, record] : records_)
    if (const auto before = previous.records_.find(key); before != previous.records_.end())
      record = before->second;
}

void Drains::explain(model::WalletDrain& drain, std::int64_t first, std::int64_t last) const {
  std::int64_t requests = 0;
  for (const std::string& key : drain.keys) {
    for (const Spent& spent : records_.at(key).spent) {
      if (spent.bucket + spent.width <= first || spent.bucket > last)
        continue;
      drain.explained = model::saturating_add(drain.explained, spent.cost);
      drain.unpriced = model::saturating_add(drain.unpriced, spent.unpriced);
      requests = model::saturating_add(requests, spent.requests);
    }
  }
  drain.silent = requests == 0;
}

model::WalletDrain Drains::drain_of(const Wallet& wallet,
                                    const std::vector<model::BalanceDrop>& drops) const {
  model::WalletDrain drain;
  drain.owner = wallet.owner;
  drain.provider = wallet.provider;
  drain.keys = wallet.keys;
  drain.from = drops.front().since;
  std::map<std::pair<std::string_view, std::string_view>, std::int64_t> by_key;
  std::map<std::string_view, std::int64_t> largest;  // by currency
  std::int64_t last = drops.front().bucket;
  for (const model::BalanceDrop& drop : drops) {
    std::int64_t& sum = by_key[{drop.key, drop.currency}];
    sum = model::saturating_add(sum, drop.nanos);
    std::int64_t& most = largest[drop.currency];
    most = std::max(most, sum);
    drain.explained = model::saturating_add(drain.explained, drop.probe_cost);
    drain.from = std::min(drain.from, drop.since);
    last = std::max(last, drop.bucket);
  }
  drain.to = model::bucket_start(last + 1);
  std::optional<model::NanoUsd> usd = 0;
  for (const auto& [currency, nanos] : largest) {
    drain.dropped.push_back({std::string(currency), nanos});
    const auto worth = in_usd(drain.dropped.back(), wallet);
    usd = usd && worth ? std::optional(model::saturating_add(*usd, *worth)) : std::nullopt;
  }
  explain(drain, model::bucket_of(drain.from) - 1, last + 1);
  if (usd && drain.unpriced == 0)
    drain.unaccounted = std::max<model::NanoUsd>(0, *usd - drain.explained);
  return drain;
}

std::vector<model::WalletDrain> Drains::between(WallTime from, WallTime to) const {
  const std::int64_t first = model::bucket_of(from);
  std::vector<model::WalletDrain> all;
  for (const Wallet& wallet : wallets_) {
    std::vector<model::BalanceDrop> drops;
    for (const std::string& key : wallet.keys)
      for (const model::BalanceDrop& drop : records_.at(key).drops)
        if (drop.bucket >= first && model::bucket_start(drop.bucket) < to)
          drops.push_back(drop);
    if (!drops.empty())
      all.push_back(drain_of(wallet, drops));
  }
  return all;
}

model::BurnRate Drains::fall_rate(const std::string& key, const std::string& currency,
                                  WallTime now) const {
  model::BurnRate rate;
  const auto record = records_.find(key);
  if (record == records_.end())
    return rate;
  rate.over = std::chrono::hours(1);
  for (const model::BalanceDrop& drop : record->second.drops) {
    if (drop.currency != currency)
      continue;
    rate.amount = model::saturating_add(rate.amount, drop.nanos);
    rate.over = std::max<std::chrono::nanoseconds>(rate.over, now - drop.since);
  }
  return rate;
}

}  // namespace keyherd::quota
