#pragma once

// The drill, one at a time. A second Tracker hears all evidence of the key's provider, but that of
// the key as a refusal: when it would believe the key dead, the pools act on that, and on nothing
// else. What is really believed of the key never changes. Survives a restart. Owned by the loop.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/herd.hpp"
#include "engine/pools.hpp"
#include "health/tracker.hpp"
#include "model/drill.hpp"

namespace keyherd::engine {

// All outlive it.
struct DrillParts {
  Herd& herd;
  Pools& pools;
  CommitPipeline& pipeline;
  spdlog::logger& log;
  std::function<void(const std::string& key, Instant)> probe_soon;
};

class Drills {
 public:
  static constexpr std::chrono::seconds kShortest{10};
  static constexpr std::chrono::hours kLongest{1};

  explicit Drills(DrillParts parts) : parts_(std::move(parts)) {}

  void configure(std::shared_ptr<const Setup> setup, Instant now);
  // Called once, after pools and herd are restored: a drill under way goes on.
  void restore(const store::State& state, Instant now);

  // Errors: not_found, conflict (another drill; or it would hurt: the message says why).
  Result<model::Drill> start(const std::string& pool, const std::string& key,
                             std::chrono::nanoseconds at_most, const std::string& actor,
                             Instant now);
  // Evidence of any key, as it comes.
  void observe(const model::Evidence& evidence, Instant now);
  // The wall clock was set. It takes the times of the drill with it: that neither ends early nor
  // goes on for hours, and what it measured stays what it was.
  void clock_stepped(WallTime::duration by);
  // What is due: steps that were taken meanwhile, the end.
  void run(Instant now);
  [[nodiscard]] std::optional<SteadyTime> next_due(Instant now) const;

  // Whether the pools treat the key as revoked now.
  [[nodiscard]] bool condemns(const std::string& key) const;
  // Whether a drill of the key is under way.
  [[nodiscard]] bool concerns(const std::string& key) const {
    return is_under_way() && drill_->key == key;
  }
  // The one under way, else the last one.
  [[nodiscard]] const std::optional<model::Drill>& drill() const { return drill_; }

 private:
  [[nodiscard]] bool is_under_way() const { return drill_ && !drill_->ended_at; }
  void begin_shadow(Instant now);
  void notice_steps(Instant now);
  void end(std::string note, Instant now);
  void changed();

  DrillParts parts_;
  std::shared_ptr<const Setup> setup_;
  std::optional<model::Drill> drill_;
  std::optional<health::Tracker> shadow_;  // until it condemns the key
  std::optional<SteadyTime> probe_at_;     // when the shadow wants a second look
};

}  // namespace keyherd::engine
