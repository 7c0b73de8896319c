#pragma once

// What wallets lost against what the usage logs explain: a balance that falls further than the log
// accounts for is a key in someone else's hands, or a log that misses traffic. One owner, one
// thread; nothing here reads a clock.
//
// Every doubt goes to the log's side, so that an alert on the result can be believed: see
// model::WalletDrain.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/quota_status.hpp"
#include "model/usage.hpp"
#include "model/wallet.hpp"

namespace keyherd::quota {

// The keys that spend from one wallet.
struct Wallet {
  std::string owner;  // key id, or "group:" and a limit group
  std::string provider;
  std::vector<std::string> keys;
  // Nano-USD for one unit of a currency; USD itself need not be named.
  std::map<std::string, model::NanoUsd> rates;
};

class Drains {
 public:
  explicit Drains(std::vector<Wallet> wallets = {});

  // Rows of keys that have no wallet here are ignored.
  void add(const model::UsageRow& row);
  void add(const model::BalanceDrop& drop);
  // Gives up what ended before this instant, falls that began before it included.
  void forget_before(WallTime time);
  // Takes over what another one holds of the same keys.
  void inherit(const Drains& previous);

  // Wallets that lost something by looks in [from, to), in the order of the wallets.
  [[nodiscard]] std::vector<model::WalletDrain> between(WallTime from, WallTime to) const;
  // How fast the balance that the key sees has fallen, by all falls that are held; over at least an
  // hour, so that one request makes no trend.
  [[nodiscard]] model::BurnRate fall_rate(const std::string& key, const std::string& currency,
                                          WallTime now) const;
  [[nodiscard]] const std::vector<Wallet>& wallets() const { return wallets_; }

 private:
  struct Spent {
    std::int64_t bucket = 0;
    std::int32_t width = 1;
    model::NanoUsd cost = 0;
    std::int64_t requests = 0;
    std::int64_t unpriced = 0;
  };
  struct Record {
    std::vector<Spent> spent;               // by bucket, ascending
    std::vector<model::BalanceDrop> drops;  // in the order of their arrival
  };
  Record* find(const std::string& key);
  [[nodiscard]] model::WalletDrain drain_of(const Wallet& wallet,
                                            const std::vector<model::BalanceDrop>& drops) const;
  void explain(model::WalletDrain& drain, std::int64_t first, std::int64_t last) const;

  std::vector<Wallet> wallets_;
  std::unordered_map<std::string, Record> records_;  // by key
};

}  // namespace keyherd::quota
