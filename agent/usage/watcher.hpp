#pragma once

// When to look at the logs again. inotify is only a hint: without it (no watches left, network file
// systems) wait() is a plain timed wait, and callers look at everything at least every kMaxInterval
// anyway. One thread waits; wake() may be called from any thread.

#include <chrono>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"

namespace keyherd::usage {

class Watcher {
 public:
  // Poll at least this often with, and without, working hints.
  static constexpr std::chrono::seconds kMaxInterval{5};
  static constexpr std::chrono::seconds kBlindInterval{1};
  // A busy log changes with every request: changes this close together are one hint.
  static constexpr std::chrono::milliseconds kSettle{50};

  enum class Wake { hint, overflow, woken, deadline, stopped };

  Watcher();
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Replaces the set of watched directories. One that cannot be watched is tried again at the next
  // call and leaves the watcher blind until then.
  void watch(const std::vector<std::string>& directories);
  // Whether every directory is watched: else look every kBlindInterval.
  [[nodiscard]] bool sees_all() const { return sees_all_; }
  [[nodiscard]] std::chrono::seconds interval() const {
    return sees_all_ ? kMaxInterval : kBlindInterval;
  }

  // Returns at a change in a watched directory (hint; overflow when the kernel lost some: look at
  // everything), at wake(), at the deadline, or when stopped.
  Wake wait(SteadyTime deadline, std::stop_token stop);
  void wake();

 private:
  Wake drain();
  int inotify_ = -1;
  int event_ = -1;
  bool sees_all_ = false;
  std::map<std::string, int> watches_;
};

}  // namespace keyherd::usage
