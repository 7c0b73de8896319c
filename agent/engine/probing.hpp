#pragma once

// Sends probes when they are due: the herd's own, those that verify a rotation's key, those that
// somebody asked for, and made-up keys that show whether an endpoint looks at keys at all. Says
// which probes are better not sent: for want of budget, or because the usage log has just shown
// what they would. Owned by the loop.

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "engine/effects.hpp"
#include "engine/endpoint_pace.hpp"
#include "engine/herd.hpp"
#include "engine/negative_control.hpp"
#include "engine/pending.hpp"
#include "engine/probe_budget.hpp"
#include "engine/probe_schedule.hpp"
#include "rotation/workflow.hpp"

namespace keyherd::engine {

// Why a probe was not sent; in the order of AgentView::probes_skipped.
enum class ProbeSkip { budget, cooldown, recent_evidence, disabled };

class Probing {
 public:
  Probing(Herd& herd, CommitPipeline& pipeline, Effects& effects, Random& random)
      : herd_(herd), pipeline_(pipeline), effects_(effects), random_(random) {}

  // Keys that are new get a first time, spread out; keys that are gone are forgotten.
  void configure(const Setup& setup, Instant now);
  // What probes have used of the day's budget in an earlier run; once, after the first configure.
  void restore(const store::State& state, Instant now);
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

  // A probe came back. Its evidence is put right first: a success of a probe that proves nothing
  // at this endpoint is none. Whoever asked for it is answered; a rotation's step is returned.
  std::optional<rotation::StepDone> finished(std::uint64_t order, model::Evidence& evidence,
                                             Instant now);
  // A probe was given up by a shutdown: nothing is known.
  void cancelled(std::uint64_t order, Instant now);

  [[nodiscard]] std::int64_t in_flight() const { return static_cast<std::int64_t>(orders_.size()); }
  [[nodiscard]] std::int64_t waiting() const { return static_cast<std::int64_t>(urgent_.size()); }
  [[nodiscard]] const model::HistogramView& delays() const { return delays_; }
  // Time between two probes of the key when nothing is amiss.
  [[nodiscard]] std::chrono::nanoseconds interval(const std::string& key) const;
  [[nodiscard]] const std::array<std::int64_t, 4>& skipped() const { return skipped_; }
  [[nodiscard]] const NegativeControl& control() const { return control_; }
  [[nodiscard]] ProbeBudget& budget() { return budget_; }

 private:
  struct Order {
    std::string key;  // empty: a question of the negative control
    std::optional<rotation::StepRequest> step;
    std::optional<Promise<model::Evidence>> promise;
    std::optional<NegativeControl::Question> question;
    bool paid = false;                       // the budget counts it as under way
    std::shared_ptr<const Secret> secret{};  // in place of the key's own
  };
  enum class Start { started, no_room, withheld };

  Start start(Order order, probe::ProbeWish wish, Instant now);
  bool send(Order order, model::ProbeKind kind, std::shared_ptr<const Secret> secret,
            const std::string& provider);
  bool run_controls(Instant now);
  bool run_one(const std::string& key, SteadyTime due, Instant now);
  [[nodiscard]] std::optional<SteadyTime> shown_by_use(const KeyRecord& record,
                                                       const health::ProbePlan& plan,
                                                       Instant now) const;
  void answer_control(const NegativeControl::Question& question, const model::Evidence& evidence,
                      Instant now);
  void release(const std::string& provider, Instant now);
  void set_intervals(const model::Provider& provider, bool doubt, Instant now);
  void skip(ProbeSkip reason, std::int64_t count = 1) {
    skipped_[static_cast<std::size_t>(reason)] += count;
  }
  [[nodiscard]] const model::Provider& provider_of(const KeyRecord& record) const {
    return *herd_.providers().at(record.key.provider).provider;
  }

  Herd& herd_;
  CommitPipeline& pipeline_;
  Effects& effects_;
  Random& random_;
  ProbeSchedule schedule_;
  EndpointPace pace_;
  NegativeControl control_;
  ProbeBudget budget_;
  std::vector<Order> urgent_;  // found no room yet
  std::map<std::uint64_t, Order> orders_;
  std::set<std::string> busy_;                  // keys with a probe of their own under way
  std::map<std::string, SteadyTime> reserved_;  // keys that have a slot, and when it is
  std::set<std::string> cooling_;               // keys whose cool-down has been counted
  // By provider: keys that wait for the first answer of its control.
  std::map<std::string, std::set<std::string>> held_;
  std::map<std::string, std::chrono::nanoseconds> intervals_;
  std::array<std::int64_t, 4> skipped_{};
  std::uint64_t next_order_ = 1;
  model::HistogramView delays_ = model::make_histogram({0.005, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300});
};

}  // namespace keyherd::engine
