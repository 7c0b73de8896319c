#include "engine/deliveries.hpp"

#include <utility>

namespace keyherd::engine {

bool Deliveries::add(Delivery delivery) {
  MutexLock lock(mutex_);
  delivery.held_bytes = delivery.lines.size();
  if (count_ >= limits_.count || bytes_ + delivery.held_bytes > limits_.bytes)
    return false;
  ++count_;
  bytes_ += delivery.held_bytes;
  inbox_.push_back(std::move(delivery));
  return true;
}

std::vector<Delivery> Deliveries::take() {
  MutexLock lock(mutex_);
  return std::exchange(inbox_, {});
}

void Deliveries::refuse(Delivery& delivery, Error why) {
  finish(delivery, fail(std::move(why)));
}

void Deliveries::await(Delivery delivery, const model::Tally& tally) {
  waiting_[tally.batch] = {std::move(delivery), {tally.source, tally.counts, tally.samples}};
}

void Deliveries::settle(std::uint64_t batch, bool committed) {
  const auto found = waiting_.find(batch);
  if (found == waiting_.end())
    return;
  Waiting settled = std::move(found->second);
  waiting_.erase(found);
  if (committed)
    finish(settled.delivery, std::move(settled.report));
  else
    finish(settled.delivery, fail(ErrorCode::unavailable, "the usage log is gone"));
}

void Deliveries::finish(Delivery& delivery, Result<api::DeliveryReport> outcome) {
  {
    MutexLock lock(mutex_);
    --count_;
    bytes_ -= delivery.held_bytes;
  }
  delivery.done(std::move(outcome));
}

}  // namespace keyherd::engine
