#pragma once

// How often an address may be wrong about who it is. Ten times at once, then every six seconds: too
// seldom to guess a password, often enough for a person. Any thread.

#include <chrono>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/mutex.hpp"

namespace keyherd::api {

// What is counted together: an IPv4 address, or the /64 network of an IPv6 address, all of which
// one customer has.
std::string network_of(std::string_view peer);

class FailureLimit {
 public:
  static constexpr int kAtOnce = 10;
  static constexpr std::chrono::seconds kEvery{6};
  static constexpr std::size_t kMostNetworks = 4'096;

  // Counts one failure. Zero when it is within the limit, else how long to wait; then nothing is
  // counted.
  std::chrono::seconds take(std::string_view peer, SteadyTime now) KH_EXCLUDES(mutex_);
  // It was none after all.
  void give_back(std::string_view peer) KH_EXCLUDES(mutex_);

 private:
  void make_room(SteadyTime now) KH_REQUIRES(mutex_);

  Mutex mutex_;
  // When the network has all its chances back. At most kAtOnce × kEvery away.
  std::unordered_map<std::string, SteadyTime> whole_at_ KH_GUARDED_BY(mutex_);
};

}  // namespace keyherd::api
