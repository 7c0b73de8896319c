#pragma once

// Hand-over between threads, bounded so that a slow consumer is felt by the producer instead of by
// the machine's memory. Any number of producers and consumers.

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/mutex.hpp"

namespace keyherd {

template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}

  // False when the queue is full: the item was not taken.
  [[nodiscard]] bool try_push(T item) KH_EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (items_.size() >= capacity_)
        return false;
      items_.push_back(std::move(item));
    }
    not_empty_.notify_one();
    return true;
  }

  // Waits for room. False when stopped first: the item was not taken.
  [[nodiscard]] bool push(T item, std::stop_token stop) KH_EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      while (items_.size() >= capacity_) {
        if (stop.stop_requested())
          return false;
        not_full_.wait_until(mutex_, soon(), stop);
      }
      items_.push_back(std::move(item));
    }
    not_empty_.notify_one();
    return true;
  }

  // Waits until the deadline for the first item, then takes all that are there, in order.
  std::vector<T> pop_all(std::chrono::steady_clock::time_point deadline, std::stop_token stop)
      KH_EXCLUDES(mutex_) {
    std::vector<T> taken;
    {
      MutexLock lock(mutex_);
      while (items_.empty() && !stop.stop_requested() &&
             std::chrono::steady_clock::now() < deadline)
        not_empty_.wait_until(mutex_, deadline, stop);
      taken.reserve(items_.size());
      for (T& item : items_)
        taken.push_back(std::move(item));
      items_.clear();
    }
    not_full_.notify_all();
    return taken;
  }

  // One item, or nothing when stopped or past the deadline.
  std::optional<T> pop(std::chrono::steady_clock::time_point deadline, std::stop_token stop)
      KH_EXCLUDES(mutex_) {
    std::optional<T> item;
    {
      MutexLock lock(mutex_);
      while (items_.empty() && !stop.stop_requested() &&
             std::chrono::steady_clock::now() < deadline)
        not_empty_.wait_until(mutex_, deadline, stop);
      if (items_.empty())
        return item;
      item = std::move(items_.front());
      items_.pop_front();
    }
    not_full_.notify_one();
    return item;
  }

  [[nodiscard]] std::size_t size() const KH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return items_.size();
  }

 private:
  // A bound on each wait, so that a lost wake-up can cost a moment and never a hang.
  static std::chrono::steady_clock::time_point soon() {
    return std::chrono::steady_clock::now() + std::chrono::seconds(1);
  }

  const std::size_t capacity_;
  mutable Mutex mutex_;
  Condition not_empty_;
  Condition not_full_;
  std::deque<T> items_ KH_GUARDED_BY(mutex_);
};

}  // namespace keyherd
