#pragma once

// What the loop shows to the other threads: set by the loop, read by anybody, never waited for.

#include <map>
#include <memory>
#include <string>

#include "api/control.hpp"
#include "api/routes.hpp"
#include "base/mutex.hpp"
#include "engine/setup.hpp"
#include "model/snapshot.hpp"

namespace keyherd::engine {

using ActiveKeys = std::map<std::string, api::ActiveKey>;  // by pool

class Published {
 public:
  void set(model::SnapshotPtr snapshot, std::shared_ptr<const ActiveKeys> active) {
    MutexLock lock(mutex_);
    snapshot_ = std::move(snapshot);
    active_ = std::move(active);
  }
  void set(std::shared_ptr<const Setup> setup) {
    MutexLock lock(mutex_);
    setup_ = std::move(setup);
  }
  [[nodiscard]] model::SnapshotPtr snapshot() const {
    MutexLock lock(mutex_);
    return snapshot_;
  }
  [[nodiscard]] std::shared_ptr<const ActiveKeys> active() const {
    MutexLock lock(mutex_);
    return active_;
  }
  [[nodiscard]] std::shared_ptr<const Setup> setup() const {
    MutexLock lock(mutex_);
    return setup_;
  }

 private:
  mutable Mutex mutex_;
  model::SnapshotPtr snapshot_ KH_GUARDED_BY(mutex_) = std::make_shared<const model::Snapshot>();
  std::shared_ptr<const ActiveKeys> active_ KH_GUARDED_BY(mutex_) =
      std::make_shared<const ActiveKeys>();
  std::shared_ptr<const Setup> setup_ KH_GUARDED_BY(mutex_);
};

}  // namespace keyherd::engine
