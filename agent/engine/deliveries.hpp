#pragma once

// Lines that came by HTTP, on their way through the tailer into the store. Bounded: what does not
// fit is refused at once, so that a store that lags holds up its clients and not our memory.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "api/control.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"

namespace keyherd::engine {

struct Delivery {
  std::string log;
  std::string lines;  // given away when they are summed up
  // Called once, on any thread: when the lines are in the store, or will never be.
  std::function<void(Result<api::DeliveryReport>)> done;
  std::size_t held_bytes = 0;  // set by Deliveries
};

class Deliveries {
 public:
  struct Limits {
    std::size_t count = 64;
    std::size_t bytes = 32U << 20U;
  };
  explicit Deliveries(Limits limits) : limits_(limits) {}

  // Any thread. False: too many lines wait already; done is not called.
  bool add(Delivery delivery);

  // The tailer's thread.
  std::vector<Delivery> take();
  void refuse(Delivery& delivery, Error why);
  // It is in the tally, with its batch: done once settle() says what became of that.
  void await(Delivery delivery, const model::Tally& tally);
  void settle(std::uint64_t batch, bool committed);

 private:
  struct Waiting {
    Delivery delivery;
    api::DeliveryReport report;
  };
  void finish(Delivery& delivery, Result<api::DeliveryReport> outcome);

  const Limits limits_;
  std::map<std::uint64_t, Waiting> waiting_;  // by batch
  Mutex mutex_;
  std::vector<Delivery> inbox_ KH_GUARDED_BY(mutex_);
  std::size_t count_ KH_GUARDED_BY(mutex_) = 0;  // not yet done
  std::size_t bytes_ KH_GUARDED_BY(mutex_) = 0;
};

}  // namespace keyherd::engine
