#pragma once

// One endpoint configuration: what kind of API it is, where, how to probe it, what it costs.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/money.hpp"
#include "model/price.hpp"

namespace keyherd::model {

// How a key is proven. `automatic` climbs from the cheapest probe that proves something.
enum class ProbeMethod { automatic, models, balance, chat, auth };
std::string_view to_string(ProbeMethod method);
std::optional<ProbeMethod> probe_method_from_string(std::string_view name);

struct ProbeSettings {
  std::chrono::nanoseconds every = std::chrono::minutes(5);
  double jitter = 0.2;  // 0..1, of `every`
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);
  ProbeMethod method = ProbeMethod::automatic;
  std::string model;  // for chat; empty: the type's default
  std::chrono::nanoseconds paid_every =
      std::chrono::hours(6);     // automatic: how often to prove spending
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
};

// The provider types of this version, sorted.
const std::vector<std::string>& provider_types();

}  // namespace keyherd::model
