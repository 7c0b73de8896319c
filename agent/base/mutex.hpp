#pragma once

// std::mutex with the annotations that let clang prove, at compile time, that guarded fields are
// only touched under their lock (libstdc++'s own mutex carries none).

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <utility>

#if defined(__clang__)
#define KH_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define KH_THREAD_ATTRIBUTE(x)
#endif

#define KH_GUARDED_BY(mutex) KH_THREAD_ATTRIBUTE(guarded_by(mutex))
#define KH_REQUIRES(mutex) KH_THREAD_ATTRIBUTE(requires_capability(mutex))
#define KH_EXCLUDES(mutex) KH_THREAD_ATTRIBUTE(locks_excluded(mutex))

namespace keyherd {

class KH_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 public:
  void lock() KH_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
  void unlock() KH_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class KH_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) KH_THREAD_ATTRIBUTE(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() KH_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition with a Mutex. Every wait has a deadline and a stop token; the caller re-checks its
// predicate in a loop, where the analysis can see the lock.
class Condition {
 public:
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }
  // Returns when notified, stopped, past the deadline, or spuriously.
  void wait_until(Mutex& mutex, std::chrono::steady_clock::time_point deadline,
                  const std::stop_token& stop) KH_REQUIRES(mutex) {
    // The overload with a stop token cannot miss a stop that comes between the check and the wait;
    // it wants a predicate, and any return but the first check's will do.
    bool woken = false;
    condition_.wait_until(mutex, stop, deadline, [&woken] { return std::exchange(woken, true); });
  }

 private:
  std::condition_variable_any condition_;
};

}  // namespace keyherd
