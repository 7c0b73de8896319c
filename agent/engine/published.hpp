#pragma once

// What the loop shows to the other threads: set by the loop, read by anybody, never waited for.

#include <map>
#include <memory>
#include <string>

#include "api/control.hpp"
#include "api/event_log.hpp"
#include "api/routes.hpp"
#include "base/mutex.hpp"
#include "engine/setup.hpp"
#include "model/snapshot.hpp"
#include "rotation/dispenser.hpp"

namespace keyherd::engine {

using ActiveKeys = std::map<std::string, api::ActiveKey>;  // by pool
// By pool; of those whose keys are handed out one a call.
using Dispensers = std::map<std::string, std::shared_ptr<const rotation::Dispenser>>;

class Published {
 public:
  void set(model::SnapshotPtr snapshot, std::shared_ptr<const ActiveKeys> active,
           std::shared_ptr<const Dispensers> dispensers) {
    std::vector<api::Event> events = api::changes_between(*this->snapshot(), *snapshot);
    {
      MutexLock lock(mutex_);
      snapshot_ = std::move(snapshot);
      active_ = std::move(active);
      dispensers_ = std::move(dispensers);
    }
    events_.add(std::move(events));
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
  [[nodiscard]] std::shared_ptr<const Dispensers> dispensers() const {
    MutexLock lock(mutex_);
    return dispensers_;
  }
  [[nodiscard]] const api::EventLog& events() const { return events_; }
  [[nodiscard]] std::shared_ptr<const Setup> setup() const {
    MutexLock lock(mutex_);
    return setup_;
  }

 private:
  mutable Mutex mutex_;
  model::SnapshotPtr snapshot_ KH_GUARDED_BY(mutex_) = std::make_shared<const model::Snapshot>();
  std::shared_ptr<const ActiveKeys> active_ KH_GUARDED_BY(mutex_) =
      std::make_shared<const ActiveKeys>();
  std::shared_ptr<const Dispensers> dispensers_ KH_GUARDED_BY(mutex_) =
      std::make_shared<const Dispensers>();
  std::shared_ptr<const Setup> setup_ KH_GUARDED_BY(mutex_);
  api::EventLog events_;
};

}  // namespace keyherd::engine
