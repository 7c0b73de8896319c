#include "engine/reports.hpp"

#include "model/usage.hpp"

namespace keyherd::engine {

api::Pending<bool> Reports::add(std::string line, std::shared_ptr<rotation::KeyLoad> load,
                                const rotation::Spent& spent) {
  std::shared_ptr<Batch> ready;
  api::Pending<bool> saved;
  {
    MutexLock lock(shared_->mutex);
    Batch& batch = *shared_->next;
    if (batch.lines.size() + line.size() > kMostWaitingBytes) {
      Promise<bool> refused;
      refused.set(fail(ErrorCode::unavailable, "too many reports wait to be saved"));
      return refused.pending();
    }
    load->add_uncounted(spent);
    batch.lines += line;
    batch.spent.emplace_back(std::move(load), spent);
    saved = batch.saved.pending();
    if (!shared_->under_way) {
      shared_->under_way = true;
      ready = std::exchange(shared_->next, std::make_shared<Batch>());
    }
  }
  if (ready)
    send(shared_, ready);
  return saved;
}

void Reports::send(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Batch>& batch) {
  Delivery delivery;
  delivery.log = model::kReportsLog;
  delivery.lines = std::move(batch->lines);
  delivery.done = [shared, batch](const Result<api::DeliveryReport>& outcome) {
    finish(shared, *batch, outcome);
  };
  if (!shared->deliver(std::move(delivery)))
    finish(shared, *batch, fail(ErrorCode::unavailable, "too many lines wait to be saved"));
}

void Reports::finish(const std::shared_ptr<Shared>& shared, const Batch& batch,
                     const Result<api::DeliveryReport>& outcome) {
  for (const auto& [load, spent] : batch.spent)
    load->remove_uncounted(spent);
  batch.saved.set(outcome ? Result<bool>(true) : fail(outcome.error()));
  std::shared_ptr<Batch> ready;
  {
    MutexLock lock(shared->mutex);
    if (shared->next->lines.empty())
      shared->under_way = false;
    else
      ready = std::exchange(shared->next, std::make_shared<Batch>());
  }
  shared->notify();
  if (ready)
    send(shared, ready);
}

}  // namespace keyherd::engine
