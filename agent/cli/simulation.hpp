#pragma once

// A pool under load, in simulated time: requests are handed keys by the very code that the agent
// hands them out with, providers refuse and fail as the workload says, and what is seen of it comes
// back to the pool as it would to an agent. The same workload and seed give the same numbers.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "model/money.hpp"
#include "model/pool.hpp"

namespace keyherd::cli {

struct SimulatedKey {
  std::string id;
  int priority = 1;
  std::int64_t quota = 0;  // tokens; 0: no limit
  double error_ratio = 0;  // of its requests: 500
  double slowness = 1;     // times the latency of a request
  struct Refusal {
    std::chrono::nanoseconds from;
    std::chrono::nanoseconds to;
    int http_status;  // 401, 402 or 429
  };
  std::vector<Refusal> refusals;  // by the time from the start
};

struct SimulatedRequest {
  std::chrono::nanoseconds at{
      0};  // from the start; where clients wait for each other not looked at
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::chrono::nanoseconds latency{0};
  model::NanoUsd cost = 0;
  bool provider_fails = false;  // whatever the key
};

struct Workload {
  std::vector<SimulatedKey> keys;
  std::vector<SimulatedRequest> requests;
  // So many at once, each as soon as another is done; 0: each at its own time.
  std::size_t at_once = 0;
};

struct SyntheticOptions {
  std::size_t requests = 1'000;
  std::size_t at_once = 50;
  std::size_t keys = 5;
  std::int64_t quota = 50'000;  // tokens a key
  std::uint64_t seed = 1;
};
// Requests of 240 tokens on average, 0.8 s; of the keys two are preferred and one is a spare, one
// is throttled for a while and one fails now and then.
Workload synthetic_workload(const SyntheticOptions& options);

struct SimulationResult {
  model::Strategy strategy = model::Strategy::round_robin;
  std::int64_t requests = 0;
  std::int64_t succeeded = 0;
  std::chrono::nanoseconds latency_sum{0};  // of the successful
  std::chrono::nanoseconds latency_p95{0};  // the same
  std::int64_t used = 0;                    // tokens, of keys with a quota
  std::int64_t quota = 0;                   // of all keys together; 0: none has any
  model::NanoUsd cost = 0;
};

// `seed` decides which requests fail by chance: the same ones for every strategy, as far as they
// get the same key. `tell`: requests done so far.
SimulationResult simulate(model::Strategy strategy, const Workload& workload, std::uint64_t seed,
                          const std::function<void(std::size_t done)>& tell);

}  // namespace keyherd::cli
