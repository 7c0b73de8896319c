#pragma once

// Keeps scheduled probes at one endpoint apart, whatever provider section and key they are of. A
// probe that comes too early gets the next free slot, so that each waits at most twice. Owned by
// the loop.

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "base/clock.hpp"

namespace keyherd::engine {

class EndpointPace {
 public:
  // Begins anew with the keys there are; slots that are taken stay taken.
  void clear();
  // `keys` more keys of a provider at base_url, which are probed `every` so often and `spacing`
  // apart: less where they would not fit into half of the time.
  void add(const std::string& provider, const std::string& base_url, std::int64_t keys,
           std::chrono::nanoseconds every, std::chrono::nanoseconds spacing);

  // Nothing: now is a good time, and it is taken. Else the slot that is reserved for it.
  std::optional<SteadyTime> take(const std::string& provider, SteadyTime now);
  [[nodiscard]] std::chrono::nanoseconds spacing(const std::string& provider) const;

 private:
  struct Endpoint {
    std::int64_t keys = 0;
    std::chrono::nanoseconds every{0};    // of its most often asked provider
    std::chrono::nanoseconds wanted{0};   // of its politest provider
    std::chrono::nanoseconds spacing{0};  // what comes of it
    SteadyTime next{};                    // the first free slot
  };
  std::map<std::string, Endpoint> endpoints_;  // by scheme, host and port
  std::map<std::string, std::string> of_provider_;
};

}  // namespace keyherd::engine
