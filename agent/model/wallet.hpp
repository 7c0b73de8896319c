#pragma once

// Balances over time: what a wallet lost, and how much of it the usage logs explain.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "model/evidence.hpp"
#include "model/money.hpp"

namespace keyherd::model {

// What a key saw of its wallet: the last balance, and the sum of all decreases since ever. Top-ups
// are in neither direction.
struct BalanceRecord {
  std::string key;
  std::string currency;    // ISO 4217
  std::int64_t nanos = 0;  // 10⁻⁹ of the currency
  WallTime at;
  std::int64_t dropped = 0;  // nanos
  friend bool operator==(const BalanceRecord&, const BalanceRecord&) = default;
};

// Decreases that a key saw within one quarter of an hour, by the time of the later look. History:
// rows of the same key, currency and bucket are added up.
struct BalanceDrop {
  std::string key;
  std::string currency;
  std::int64_t bucket = 0;  // as of usage
  std::int64_t nanos = 0;   // of the currency, ≥ 0
  NanoUsd probe_cost = 0;   // what our own probes of the key cost between the looks
  WallTime since;           // the earlier look: the money went between then and the bucket's end
  friend bool operator==(const BalanceDrop&, const BalanceDrop&) = default;
};

// One wallet over a stretch of time. Its keys see the same balance, so the largest fall that one of
// them saw is the wallet's. What is explained covers the whole stretch between looks and a quarter
// of an hour around it, and top-ups between two looks hide spending: `unaccounted` is what went at
// least.
struct WalletDrain {
  std::string owner;  // key id, or "group:" and a limit group
  std::string provider;
  std::vector<std::string> keys;
  WallTime from;
  WallTime to;
  std::vector<Balance> dropped;  // by currency, > 0
  NanoUsd explained = 0;         // logged usage and our own probes
  std::int64_t unpriced = 0;     // logged requests whose cost is not known
  // In USD, ≥ 0; nothing when that cannot be said: the rate of a currency or a price is not known.
  std::optional<NanoUsd> unaccounted;
  bool silent = false;  // something was spent, and no log has a single line of it
};

}  // namespace keyherd::model
