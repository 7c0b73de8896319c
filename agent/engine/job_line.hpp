#pragma once

// Jobs that may wait for files, commands and commits, done one after the other by a thread that
// lives while there are any. Any thread may add; nobody waits for room.

#include <cstddef>
#include <deque>
#include <functional>
#include <stop_token>
#include <thread>

#include "base/mutex.hpp"

namespace keyherd::engine {

class JobLine {
 public:
  using Job = std::function<void(const std::stop_token&)>;

  explicit JobLine(std::size_t most_waiting) : most_waiting_(most_waiting) {}
  ~JobLine() { stop(); }
  JobLine(const JobLine&) = delete;
  JobLine& operator=(const JobLine&) = delete;

  // False when too many wait already, or after stop().
  [[nodiscard]] bool add(Job job) KH_EXCLUDES(mutex_);
  // Ends the job that runs, drops the others.
  void stop() KH_EXCLUDES(mutex_);

 private:
  void run(const std::stop_token& stop) KH_EXCLUDES(mutex_);

  const std::size_t most_waiting_;
  Mutex mutex_;
  std::deque<Job> jobs_ KH_GUARDED_BY(mutex_);
  bool works_ KH_GUARDED_BY(mutex_) = false;
  bool stopped_ KH_GUARDED_BY(mutex_) = false;
  std::jthread thread_;  // started under the mutex, while none works
};

}  // namespace keyherd::engine
