#pragma once

// Sends probes when they are due: the herd's own, those that verify a rotation's key, and those
// that somebody asked for. Owned by the loop.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "engine/effects.hpp"
#include "engine/herd.hpp"
#include "engine/pending.hpp"
#include "engine/probe_schedule.hpp"
#include "rotation/workflow.hpp"

namespace keyherd::engine {

class Probing {
 public:
  Probing(Herd& herd, Effects& effects, Random& random)
      : herd_(herd), effects_(effects), random_(random) {}

  // Keys that are new get a first time, spread out; keys that are gone are forgotten.
  void configure(Instant now);
  // The key's belief changed: its next probe is planned anew.
  void replan(const std::string& key, Instant now);
  void probe_soon(const std::string& key, Instant now);
  // A probe now, whatever the plan; its evidence also answers the promise.
  Promise<model::Evidence> ask(const std::string& key, Instant now);
  // A probe now that answers the rotation's step: of `secret`, or without one of the key's own.
  // False when the key cannot be probed at all.
  [[nodiscard]] bool verify(rotation::StepRequest step, std::shared_ptr<const Secret> secret,
                            Instant now);

  // Starts what is due and finds room.
  void run(Instant now);
  [[nodiscard]] std::optional<SteadyTime> next_due() const;

  // A probe came back. Whoever asked for it is answered; a rotation's step is returned.
  std::optional<rotation::StepDone> finished(std::uint64_t order, const model::Evidence& evidence);
  // A probe was given up by a shutdown: nothing is known.
  void cancelled(std::uint64_t order);

  [[nodiscard]] std::int64_t in_flight() const { return static_cast<std::int64_t>(orders_.size()); }
  [[nodiscard]] std::int64_t waiting() const { return static_cast<std::int64_t>(urgent_.size()); }
  [[nodiscard]] const model::HistogramView& delays() const { return delays_; }
  [[nodiscard]] std::chrono::nanoseconds interval(const std::string& key) const;

 private:
  struct Order {
    std::string key;
    std::optional<rotation::StepRequest> step;
    std::optional<Promise<model::Evidence>> promise;
    std::shared_ptr<const Secret> secret{};  // in place of the key's own
  };
  bool start(Order order, Instant now);

  Herd& herd_;
  Effects& effects_;
  Random& random_;
  ProbeSchedule schedule_;
  std::vector<Order> urgent_;  // found no room yet
  std::map<std::uint64_t, Order> orders_;
  std::set<std::string> busy_;  // keys with a probe of their own under way
  std::map<std::string, std::chrono::nanoseconds> intervals_;
  std::uint64_t next_order_ = 1;
  model::HistogramView delays_ = model::make_histogram({0.005, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300});
};

}  // namespace keyherd::engine
