#pragma once

// What clients report of their requests, on its way to where usage lines that come by HTTP are
// counted. One delivery is under way at a time, and the reports that come meanwhile make the next
// one: a commit for as many reports as there are. Any thread.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/control.hpp"
#include "base/mutex.hpp"
#include "engine/deliveries.hpp"
#include "engine/pending.hpp"
#include "rotation/dispenser.hpp"

namespace keyherd::engine {

class Reports {
 public:
  static constexpr std::size_t kMostWaitingBytes = 8U << 20U;

  // `deliver` takes lines, or says false; `notify`: answers are there.
  Reports(std::function<bool(Delivery)> deliver, std::function<void()> notify)
      : shared_(std::make_shared<Shared>()) {
    shared_->deliver = std::move(deliver);
    shared_->notify = std::move(notify);
  }

  // True once the line is in the store. Until then the load counts what was spent, from now on.
  // Error unavailable: it is not counted and never will be; report it again.
  api::Pending<bool> add(std::string line, std::shared_ptr<rotation::KeyLoad> load,
                         const rotation::Spent& spent);

 private:
  struct Batch {
    std::string lines;
    std::vector<std::pair<std::shared_ptr<rotation::KeyLoad>, rotation::Spent>> spent;
    Promise<bool> saved;
  };
  // Outlives this object while a delivery is under way.
  struct Shared {
    std::function<bool(Delivery)> deliver;
    std::function<void()> notify;
    Mutex mutex;
    std::shared_ptr<Batch> next KH_GUARDED_BY(mutex) = std::make_shared<Batch>();
    bool under_way KH_GUARDED_BY(mutex) = false;
  };
  static void send(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Batch>& batch);
  static void finish(const std::shared_ptr<Shared>& shared, const Batch& batch,
                     const Result<api::DeliveryReport>& outcome);

  std::shared_ptr<Shared> shared_;
};

}  // namespace keyherd::engine
