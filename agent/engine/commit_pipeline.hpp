#pragma once

// What is to be stored, in order: rows gather in the next batch while one is being committed; a
// batch that cannot be committed is tried again as it is, with back-off, so that nothing is lost or
// counted twice. Actions that may only follow a commit wait here. Owned by the loop.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "store/store.hpp"

namespace keyherd::engine {

using AfterCommit = std::function<void(Instant)>;

class CommitPipeline {
 public:
  // Rows of the next batch.
  store::Batch& next() { return next_; }
  // Runs once everything that is in next() now has been committed.
  void then(AfterCommit action) { actions_.push_back(std::move(action)); }

  // Whether a commit can start now.
  [[nodiscard]] bool can_start(Instant now) const;
  // The batch to commit: the failed one again, or the next one.
  std::shared_ptr<const store::Batch> start();
  [[nodiscard]] bool has_work() const { return !next_.empty() || !actions_.empty(); }
  [[nodiscard]] bool in_flight() const { return in_flight_; }
  // A new batch would start, not a failed one again.
  [[nodiscard]] bool starts_fresh() const { return failed_ == nullptr; }

  // The outcome of the batch in flight. Success runs the actions that waited for it.
  void finish(const Status& outcome, Instant now);
  // For actions, while they run: what was committed.
  [[nodiscard]] const store::Batch& committed() const { return *committed_; }

  // While batches cannot be committed: why. Empty when all is well.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] std::int64_t failures() const { return failures_; }
  [[nodiscard]] std::optional<WallTime> last_success() const { return last_success_; }
  // When the failed batch is tried again.
  [[nodiscard]] std::optional<SteadyTime> retry_at() const;

 private:
  store::Batch next_;
  std::vector<AfterCommit> actions_;
  std::shared_ptr<const store::Batch> current_;
  std::vector<AfterCommit> current_actions_;
  std::shared_ptr<const store::Batch> failed_;
  std::shared_ptr<const store::Batch> committed_;
  bool in_flight_ = false;
  SteadyTime retry_at_{};
  std::chrono::nanoseconds back_off_{0};
  std::string problem_;
  std::int64_t failures_ = 0;
  std::optional<WallTime> last_success_;
};

}  // namespace keyherd::engine
