#pragma once

// One endpoint configuration: what kind of API it is, where, how to probe it, what it costs.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/error_rule.hpp"
#include "model/money.hpp"
#include "model/price.hpp"

namespace keyherd::model {

// How a key is proven. `automatic` climbs from the cheapest probe that proves something.
enum class ProbeMethod { automatic, models, balance, chat, auth };
std::string_view to_string(ProbeMethod method);
std::optional<ProbeMethod> probe_method_from_string(std::string_view name);

// Which field of a chat request limits its answer. `automatic`: by the model's name.
enum class LimitField { automatic, max_tokens, max_completion_tokens };
std::string_view to_string(LimitField field);
std::optional<LimitField> limit_field_from_string(std::string_view name);

struct ProbeSettings {
  std::chrono::nanoseconds every = std::chrono::minutes(5);
  double jitter = 0.2;  // 0..1, of `every`
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);
  ProbeMethod method = ProbeMethod::automatic;
  std::string model;                         // for chat; empty: the type's default
  std::map<std::string, std::string> paths;  // by probe: in place of the type's
  std::optional<LimitField> limit_field;     // nothing: the type's
  std::optional<int> limit_tokens;           // ≥ 1; nothing: the fewest that the model takes
  std::chrono::nanoseconds paid_every =
      std::chrono::hours(6);  // automatic: how often to prove spending; 0: never
  // How often the endpoint must show that it refuses a made-up key; 0: never.
  std::chrono::nanoseconds control_every = std::chrono::hours(24);
  // Least time between two scheduled probes at one endpoint, of all keys.
  std::chrono::nanoseconds min_spacing = std::chrono::milliseconds(100);
  int failures_to_dead = 3;      // n failures in a row of the auth class before a key is dead
  int successes_to_healthy = 2;  // k successes in a row before a bad key is trusted again
  std::chrono::nanoseconds confirm_after = std::chrono::seconds(20);  // re-probe of a doubtful key
  std::optional<std::chrono::nanoseconds> latency_limit;  // p95 above it is worth an alert
};

// What a provider bills in: nano-USD for one unit of a currency other than USD.
struct BilledIn {
  std::string currency;  // ISO 4217
  NanoUsd rate = 0;
  friend bool operator==(const BilledIn&, const BilledIn&) = default;
};

// Below these an alert is due, in 10⁻⁹ of the currency.
struct BalanceThreshold {
  std::optional<std::int64_t> warning;
  std::optional<std::int64_t> critical;
  friend bool operator==(const BalanceThreshold&, const BalanceThreshold&) = default;
};

struct Provider {
  std::string id;
  std::string type;      // a row of the provider types table
  std::string base_url;  // without a trailing slash
  ProbeSettings probe;
  // By model name: the provider's own, then those of the lists that it takes.
  std::map<std::string, ModelPrice> prices;
  std::optional<BilledIn> billed_in;           // nothing: USD
  std::string ca_file;                         // extra CA, PEM; empty: the system's
  std::map<std::string, std::string> headers;  // extra request headers, not secret
  std::optional<std::string> auth_header;      // in place of the type's
  std::optional<std::string> auth_prefix;      // with auth_header; nothing: none
  std::vector<ErrorRule> rules;                // tried before the type's, in this order
  std::map<std::string, BalanceThreshold> balance_thresholds;  // by currency
};

// The provider types of this version, sorted.
const std::vector<std::string>& provider_types();

}  // namespace keyherd::model
