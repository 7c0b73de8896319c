#pragma once

// The audit log's entries on their way: numbered, stored in the transaction of what they tell of,
// and after that commit handed to the file. What a crash left behind is handed over again at the
// next start; the file leaves out what it has. A log that cannot be written holds nothing up: its
// entries wait, and people are told. Owned by the loop.

#include <spdlog/fwd.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "audit/line.hpp"
#include "engine/commit_pipeline.hpp"
#include "engine/effects.hpp"
#include "model/audit.hpp"

namespace keyherd::engine {

struct AuditWritten {
  Result<audit::Appended> outcome;
};

// What the state remembers of the last line that was written.
audit::Head audit_head(const store::State& state);
// An entry by whoever changes the state of an agent that does not run, to be stored with the
// change: the agent's next start writes it.
store::AuditRow offline_entry(const store::State& state, model::AuditEntry entry);

class AuditTrail {
 public:
  // `post` gives an AuditWritten back to the loop.
  AuditTrail(CommitPipeline& pipeline, Effects& effects, spdlog::logger& log,
             std::function<void(AuditWritten)> post)
      : pipeline_(pipeline), effects_(effects), log_(log), post_(std::move(post)) {}

  // Once, before anything is noted; `log`: what the log's file said when it was opened, nothing
  // when none is kept.
  void restore(const store::State& state, const std::optional<audit::Appended>& log, Instant now);

  // The entry's number and time are filled in.
  void note(model::AuditEntry entry, Instant now);

  // Hands over what is committed.
  void run(Instant now);
  [[nodiscard]] std::optional<SteadyTime> next_due() const;
  void written(const AuditWritten& event, Instant now);

  struct Counts {
    std::int64_t entries = 0;   // since ever
    std::int64_t failures = 0;  // of writing, since the start
    std::int64_t dropped = 0;   // since the start: too many waited
    std::int64_t waiting = 0;
  };
  [[nodiscard]] Counts counts() const;

 private:
  void note_mended(const std::vector<std::string>& what, Instant now);

  CommitPipeline& pipeline_;
  Effects& effects_;
  spdlog::logger& log_;
  std::function<void(AuditWritten)> post_;
  bool enabled_ = false;
  std::int64_t seq_ = 0;        // of the newest entry
  std::int64_t committed_ = 0;  // entries up to here are in the store
  std::deque<audit::Line> waiting_;
  bool in_flight_ = false;
  std::optional<SteadyTime> retry_at_;
  std::chrono::nanoseconds back_off_{0};
  std::string problem_;
  std::int64_t failures_ = 0;
  std::int64_t dropped_ = 0;
  std::int64_t dropped_said_ = 0;
};

}  // namespace keyherd::engine
