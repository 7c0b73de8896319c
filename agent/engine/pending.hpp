#pragma once

// The loop's side of an api::Pending: set once by the loop, looked at by others.

#include <memory>
#include <optional>
#include <utility>

#include "api/control.hpp"
#include "base/mutex.hpp"

namespace keyherd::engine {

template <class T>
class Promise {
 public:
  void set(Result<T> value) const {
    MutexLock lock(shared_->mutex);
    if (!shared_->value)
      shared_->value = std::move(value);
  }
  [[nodiscard]] api::Pending<T> pending() const {
    return [shared = shared_]() -> std::optional<Result<T>> {
      MutexLock lock(shared->mutex);
      return shared->value;
    };
  }

 private:
  struct Shared {
    Mutex mutex;
    std::optional<Result<T>> value KH_GUARDED_BY(mutex);
  };
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace keyherd::engine
