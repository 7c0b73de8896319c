#pragma once

// The pools at work: schedules that fire, events that call for another key, the journaled steps of
// each rotation. Decides through rotation/planner.hpp, proceeds through rotation/workflow.hpp;
// every step waits for the commit of the one before. Owned by the loop.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/control.hpp"
#include "base/random.hpp"
#include "engine/audit_trail.hpp"
#include "engine/commit_pipeline.hpp"
#include "engine/effects.hpp"
#include "engine/key_record.hpp"
#include "engine/pending.hpp"
#include "engine/pool_schedule.hpp"
#include "engine/setup.hpp"
#include "model/snapshot.hpp"
#include "rotation/ending.hpp"
#include "rotation/planner.hpp"
#include "store/keyring.hpp"

namespace keyherd::engine {

// What the pools need from the rest of the loop. All outlive them.
struct PoolParts {
  CommitPipeline& pipeline;
  Effects& effects;
  Random& random;
  spdlog::logger& log;
  AuditTrail& audit;
  // The members of a pool as the planner sees them, in its order.
  std::function<std::vector<rotation::Candidate>(const model::Pool&, Instant)> candidates;
  // A fresh probe for this step, of that secret or (null) of the key's own; answered by
  // step_finished().
  std::function<void(rotation::StepRequest step, std::shared_ptr<const Secret> secret, Instant)>
      probe;
  // Probe the key soon: the switch trusted earlier evidence.
  std::function<void(const std::string& key, Instant)> probe_soon;
  // The key's record; null for a key that is not configured.
  std::function<const KeyRecord*(const std::string& key)> key;
  // From now on the key has this secret (null: none, because of `why`).
  std::function<void(const std::string& key, std::shared_ptr<const Secret> secret,
                     const std::string& why, Instant)>
      adopt;
  // When that secret expires, says its issuer; nothing: never, or not told.
  std::function<void(const std::string& key, std::optional<WallTime> at)> expires;
  std::function<void(const std::string& key, const std::string& actor, Instant)> pause;
  store::Keyring* keyring = nullptr;  // none without agent.master_key
};

class Pools {
 public:
  explicit Pools(PoolParts parts) : parts_(std::move(parts)) {}

  void configure(std::shared_ptr<const Setup> setup, Instant now);
  // What an earlier run left: called once, after the first configure and after the keys' beliefs
  // are restored. Unfinished rotations go on.
  void restore(const store::State& state, Instant now);

  // The key's standing changed: its pools, and its secret if that is leaving, are looked at again
  // in run().
  void key_changed(const std::string& key);
  // The key was used or seen to work as before: only pools that hand it out are looked at.
  void key_used(const std::string& key);
  // Everything that is due: fires, events, refreshes, delayed steps.
  void run(Instant now);
  [[nodiscard]] std::optional<SteadyTime> next_due(Instant now) const;

  void step_finished(const rotation::StepDone& done, Instant now);
  Promise<model::Rotation> rotate(const api::RotateCommand& command, Instant now);
  // Error: not_found.
  Result<model::PoolView> freeze(const std::string& pool, model::Freeze freeze, Instant now);
  Result<model::PoolView> unfreeze(const std::string& pool, const std::string& actor, Instant now);

  // pools_drill.cpp: what a drill wants of them.
  [[nodiscard]] bool has_member(const std::string& pool, const std::string& key) const;
  // Why treating the key as revoked would show nothing, or hurt; nothing: it may be.
  [[nodiscard]] std::optional<std::string> why_no_drill(const std::string& pool,
                                                        const std::string& key, Instant now) const;
  // The switch away from the key that the drill has caused since then.
  [[nodiscard]] std::optional<model::Rotation> drill_rotation(const std::string& pool,
                                                              const std::string& key,
                                                              WallTime since) const;
  // Switches back to the key, unless it is active. Why not, for people, when that cannot be.
  std::optional<std::string> go_back(const std::string& pool, const std::string& key,
                                     const std::string& actor, Instant now);
  void mark_changed(const std::string& pool) { changed_.insert(pool); }

  // What consumers are told; nothing before the first publication.
  [[nodiscard]] std::optional<api::ActiveKey> active(const std::string& pool) const;
  // Pools whose view changed since the last call.
  std::set<std::string> take_changed();
  [[nodiscard]] model::PoolView view(const std::string& pool, Instant now) const;
  // Newest first, of all pools, bounded; the same object until one of them changes.
  [[nodiscard]] model::RotationsPtr recent_rotations();
  [[nodiscard]] const model::HistogramView& durations() const { return durations_; }
  // Of alerts: by somebody else, counted here with the others.
  void count_notifications(std::string_view target, int good, int failed);
  [[nodiscard]] const std::map<std::string, std::int64_t>& notifications() const {
    return notifications_;
  }
  [[nodiscard]] const std::map<std::string, std::int64_t>& notification_failures() const {
    return notification_failures_;
  }

 private:
  struct Record {
    model::Pool pool;
    model::PoolState state;  // committed
    store::PoolTotals totals;
    // Newest first: the running one, at least the last hour's, and at least a hundred.
    std::vector<model::Rotation> history;
    PoolSchedule schedule;
    std::optional<model::Freeze> freeze;  // by hand; may have run out
    std::optional<WallTime> last_success_at;
    std::optional<WallTime> last_scheduled_success_at;
    std::optional<Promise<model::Rotation>> waiting;  // whoever asked for the running rotation
    std::string waiting_for;                          // its id
    std::optional<WallTime> ask_again;
    std::string problem;
    bool refreshing = false;
    std::optional<WallTime> republish_at;  // after a start (the files may be gone), or a failure
    bool dirty = true;                     // to be looked at
    bool deciding = false;                 // `state` is behind: the next one is being committed
    bool read = false;                     // a usage log told of one of its keys
    std::string adopting;                  // the rotation that waits for the usage logs
    std::optional<WallTime> adopt_by;      // until when
  };

  // For a row of the record's journal, or for none.
  rotation::WorkflowContext context_of(const Record& record, const model::Rotation* row,
                                       Instant now) const;
  void consider(Record& record, Instant now);
  tl::expected<rotation::Plan, rotation::Refusal> plan_for(const Record& record,
                                                           const rotation::Request& request,
                                                           Instant now) const;
  [[nodiscard]] std::optional<model::Freeze> freeze_of(const Record& record, WallTime now) const;
  void fire_if_due(Record& record, Instant now);
  void refresh_if_due(Record& record, Instant now);
  void refused(Record& record, const rotation::Refusal& refusal, const rotation::Request& request,
               Instant now);
  // pools_absent.cpp: pools that the configuration does not name any more.
  void leave(const std::string& id, Record record, Instant now);
  void end_rows(Record& record, const std::function<bool(const model::Rotation&)>& ends,
                Instant now);
  Record* find(const std::string& pool);  // whether it is configured or not; null: never known
  Record& find_or_add_absent(const std::string& pool, Instant now);
  // pools_audit.cpp: what is told to the audit log.
  void note_steps(const Record& record, const model::Rotation& rotation, Instant now);
  void note_refusal(const Record& record, const rotation::Refusal& refusal,
                    const rotation::Request& request, Instant now);
  void note_failures(const rotation::StepDone& done, Instant now);
  void note_credential(const model::Credential& credential, const std::string& what, Instant now);
  std::string start(Record& record, const rotation::Plan& plan, Instant now);
  void proceed(Record& record, rotation::Transition transition, Instant now);
  void after_commit(const std::string& pool, const rotation::Transition& transition, Instant now);
  void run_step(rotation::StepRequest step, Instant now);
  void finish_refresh(Record& record, const rotation::StepDone& done, Instant now);
  static std::map<std::string, std::int64_t> no_notifications();
  void answer_waiting(Record& record, const model::Rotation& rotation);
  void count_outcomes(const rotation::StepDone& done);
  [[nodiscard]] std::optional<double> adoption_of(const Record& record, WallTime now) const;
  void watch_adoption(Record& record, Instant now);
  [[nodiscard]] std::optional<std::string> harm_of_drill(const Record& record,
                                                         const std::string& key, Instant now) const;

  // pools_secrets.cpp: what issuers make and end.
  void restore_secrets(const store::State& state, Instant now);
  std::vector<rotation::Candidate> members_of(const Record& record, Instant now) const;
  void mark_slots(const Record& record, std::vector<rotation::Candidate>& members,
                  Instant now) const;
  [[nodiscard]] std::string slot_trouble(const Record& record, const KeyRecord& key,
                                         Instant now) const;
  void add_ending(rotation::WorkflowContext& context, const model::Rotation& row) const;
  void clear_slot(const Record& record, const std::string& key, Instant now);
  void keep_secrets(Record& record, const rotation::Transition& transition, Instant now);
  [[nodiscard]] bool is_in_use(const std::string& key) const;
  [[nodiscard]] rotation::EndingFacts facts_of(const model::Credential& credential,
                                               Instant now) const;
  void end_secrets(Instant now);
  void apply(rotation::Ending ending, std::shared_ptr<const Secret> next_secret, Instant now);
  void secret_ended(const model::Credential& credential, std::shared_ptr<const Secret> next_secret,
                    Instant now);
  void close_row(const model::Credential& credential, bool called_off, const std::string& note,
                 Instant now);
  void take_out_of_service(const model::Credential& credential, Instant now);
  void ending_step_finished(const rotation::StepDone& done, Instant now);
  void run_issuer_step(rotation::StepRequest step, Instant now);
  [[nodiscard]] std::shared_ptr<const Secret> secret_of(const std::string& key) const;
  [[nodiscard]] std::string entry_of(const std::string& key) const;
  void remember(Record& record, const model::Rotation& rotation);
  void store_totals(const Record& record);
  void settle(Record& record, const model::Rotation& rotation, Instant now);

  PoolParts parts_;
  std::shared_ptr<const Setup> setup_;
  WallTime settled_at_;  // from when on a first key is chosen without waiting for better ones
  std::map<std::string, Record> records_;
  std::map<std::string, Record> absent_;  // no longer configured
  model::RotationsPtr recent_;            // null: to be made anew
  std::multimap<std::string, std::string> pools_of_key_;
  std::map<std::string, model::Credential> credentials_;       // by name
  std::map<std::string, WallTime> look_at_;                    // when a leaving one is due, by name
  std::map<std::string, std::shared_ptr<const Secret>> held_;  // minted, by rotation
  std::map<std::string, std::shared_ptr<const Secret>> ending_;  // being ended, by credential
  std::multimap<SteadyTime, rotation::StepRequest> delayed_;
  std::set<std::string> changed_;
  model::HistogramView durations_ =
      model::make_histogram({0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300});
  std::map<std::string, std::int64_t> notifications_ = no_notifications();
  std::map<std::string, std::int64_t> notification_failures_ = no_notifications();
};

}  // namespace keyherd::engine
