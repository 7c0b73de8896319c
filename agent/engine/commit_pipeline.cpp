#include "engine/commit_pipeline.hpp"

#include <algorithm>
#include <utility>

namespace keyherd::engine {

namespace {
constexpr std::chrono::milliseconds kFirstBackOff{200};
constexpr std::chrono::seconds kLongestBackOff{10};
}  // namespace

bool CommitPipeline::can_start(Instant now) const {
  if (in_flight_)
    return false;
  return failed_ ? now.steady >= retry_at_ : has_work();
}

std::shared_ptr<const store::Batch> CommitPipeline::start() {
  in_flight_ = true;
  if (failed_) {
    current_ = std::exchange(failed_, nullptr);
    return current_;
  }
  current_ = std::make_shared<const store::Batch>(std::exchange(next_, {}));
  current_actions_ = std::exchange(actions_, {});
  return current_;
}

void CommitPipeline::finish(const Status& outcome, Instant now) {
  in_flight_ = false;
  if (outcome) {
    problem_.clear();
    back_off_ = {};
    last_success_ = now.wall;
    committed_ = std::exchange(current_, nullptr);
    for (const AfterCommit& action : std::exchange(current_actions_, {}))
      action(now);
    committed_.reset();
    return;
  }
  ++failures_;
  problem_ = outcome.error().message;
  back_off_ = std::clamp<std::chrono::nanoseconds>(back_off_ * 2, kFirstBackOff, kLongestBackOff);
  retry_at_ = now.steady + back_off_;
  failed_ = std::exchange(current_, nullptr);
}

std::optional<SteadyTime> CommitPipeline::retry_at() const {
  if (failed_)
    return retry_at_;
  return std::nullopt;
}

}  // namespace keyherd::engine
