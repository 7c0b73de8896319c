#pragma once

// The loop's body: events in, decisions out. Everything that Keyherd believes is owned here and
// changed in one thread; step() does all that is due and says when to come again. Outside effects
// go through Effects, outside time comes in as an Instant: under a test a simulated week takes
// seconds.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "engine/accounting.hpp"
#include "engine/audit_trail.hpp"
#include "engine/commit_pipeline.hpp"
#include "engine/dispensing.hpp"
#include "engine/drills.hpp"
#include "engine/effects.hpp"
#include "engine/herd.hpp"
#include "engine/pools.hpp"
#include "engine/probing.hpp"
#include "engine/published.hpp"

namespace keyherd::engine {

class Engine;

struct ProbeFinished {
  std::uint64_t order = 0;
  bool cancelled = false;  // by a shutdown
  model::Evidence evidence;
};
struct TallyArrived {
  model::Tally tally;
};
struct Committed {
  Status outcome;
};
struct StepFinished {
  rotation::StepDone done;
};
struct HistoryLoaded {
  std::vector<model::UsageRow> usage;
  std::vector<model::MinuteRow> minutes;
  std::vector<model::UsageRow> burn_usage;
  std::vector<model::MinuteRow> burn_minutes;
  std::vector<model::UsageRow> drain_usage;
  std::vector<model::BalanceDrop> drops;
};
struct HistoryTended {
  Result<bool> more;  // whether a part of the work is left
};
// A command of the API, run on the loop.
struct Call {
  std::function<void(Engine&, Instant)> run;
};
using Event = std::variant<ProbeFinished, TallyArrived, Committed, StepFinished, HistoryLoaded,
                           HistoryTended, AuditWritten, Call>;

struct EngineOptions {
  Effects& effects;
  // Gives events back to the engine from a store job; any thread.
  std::function<void(Event)> post;
  Random& random;
  spdlog::logger& log;
  Published& published;
  store::Keyring* keyring = nullptr;  // none without agent.master_key; outlives the engine
  // What the audit log said when it was opened; nothing: none is kept.
  std::optional<audit::Appended> audit{};
};

class Engine {
 public:
  explicit Engine(const EngineOptions& options);

  // Once, before the first step. Error invalid: the setup cannot be run.
  Status start(std::shared_ptr<const Setup> setup, store::State state, Instant now);
  // A reload: all of it or, with an error, nothing. Error unavailable: a commit is under way, try
  // again in a moment.
  Status reconfigure(std::shared_ptr<const Setup> setup, Instant now);
  void reload_failed(const std::string& why);
  // An entry of the audit log by whoever acts on the agent from outside the loop.
  void note(model::AuditEntry entry, Instant now) { audit_.note(std::move(entry), now); }
  // Messages about alerts, which another thread sends; they are counted with the publications.
  void count_notifications(std::string_view target, int good, int failed);

  void handle(Event event, Instant now);
  // Does everything that is due; returns when to be called again if nothing else happens.
  SteadyTime step(Instant now);

  // Commands; see api::Control.
  Promise<model::Rotation> rotate(const api::RotateCommand& command, Instant now) {
    return pools_.rotate(command, now);
  }
  Result<model::PoolView> freeze(const std::string& pool, model::Freeze freeze, Instant now) {
    return pools_.freeze(pool, std::move(freeze), now);
  }
  Result<model::PoolView> unfreeze(const std::string& pool, const std::string& actor, Instant now) {
    return pools_.unfreeze(pool, actor, now);
  }
  Promise<model::Evidence> probe(const std::string& key, const std::string& actor, Instant now);
  // What is or was believed of the key and why: once all that is known now is in the store, or at
  // once, from what is stored, while nothing can be.
  Promise<model::KeyStory> explain(const std::string& key, WallTime at, Instant now);
  Result<model::Drill> drill(const api::DrillCommand& command, Instant now) {
    return drills_.start(command.pool, command.key, command.at_most, command.actor, now);
  }
  // The secrets that are loaded, by key.
  [[nodiscard]] std::map<std::string, std::shared_ptr<const Secret>> secrets() const;
  // Into the keyring; true once they are in the store. Precondition: there is a keyring.
  Promise<bool> seal(const std::vector<std::pair<std::string, Secret>>& secrets, Instant now);
  // See api::Control::next: the pool's table is published with the next snapshot.
  void begin_dispensing(const std::string& pool, Instant now);
  Result<model::KeyHealth> pause(const std::string& key, const std::string& actor, Instant now);
  Result<model::KeyHealth> resume(const std::string& key, const std::string& actor, Instant now);
  // Once what was done so far can be seen in the published Snapshot: with the next step.
  void tell_once_published(std::function<void()> tell);

 private:
  void on(ProbeFinished event, Instant now);
  void on(TallyArrived event, Instant now);
  void on(Committed event, Instant now);
  void on(StepFinished event, Instant now);
  void on(HistoryLoaded event, Instant now);
  void on(HistoryTended event, Instant now);
  void on(const AuditWritten& event, Instant now);
  void on(Call event, Instant now);

  PoolParts pool_parts();
  DispensingParts dispensing_parts();
  void note_incident(const ProviderRecord& record, Instant now);
  void adopt(const std::string& key, std::shared_ptr<const Secret> secret, const std::string& why,
             Instant now);
  void take_thresholds();
  void configure_usage();
  void ask_for_history(Instant now);
  void settle_touched(Instant now);
  void commit_if_due(Instant now);
  void tend_history_if_due(Instant now);
  void notice_clock(Instant now);
  void tell_pools(const std::string& key);
  void publish_if_due(Instant now);
  void refresh_pool_views(const std::set<std::string>& pools, Instant now);
  void refresh_key_views(Instant now);
  void publish(Instant now);
  void tell_waiting();
  std::vector<rotation::Candidate> candidates(const model::Pool& pool, Instant now) const;
  std::optional<rotation::Candidate> candidate(const std::string& key, Instant now) const;
  void add_prices(const model::Pool& pool, std::vector<rotation::Candidate>& members,
                  Instant now) const;
  std::shared_ptr<const model::KeyView> key_view(const KeyRecord& record, Instant now) const;
  std::shared_ptr<const model::ProviderView> provider_view(const ProviderRecord& record) const;
  model::AgentView agent_view(Instant now);
  [[nodiscard]] SteadyTime next_deadline(Instant now) const;

  EngineOptions options_;
  std::shared_ptr<const Setup> setup_;
  std::map<std::string, std::string> adopted_aliases_;  // of secrets that came after the setup
  CommitPipeline pipeline_;
  AuditTrail audit_;
  Herd herd_;
  Probing probing_;
  Accounting accounting_;
  Pools pools_;
  Dispensing dispensing_;
  Drills drills_;

  model::AgentView agent_;
  model::KeyViews key_views_;
  std::set<std::string> stale_views_;  // keys that changed since the last publication
  std::map<std::string, std::shared_ptr<const model::PoolView>> pool_views_;
  std::map<std::string, std::shared_ptr<const model::ProviderView>> provider_views_;
  std::map<std::string, std::shared_ptr<const model::SourceView>> source_views_;
  std::shared_ptr<const ActiveKeys> active_ = std::make_shared<const ActiveKeys>();
  bool changed_ = true;
  std::uint64_t version_ = 0;
  std::optional<SteadyTime> published_at_;
  std::vector<std::function<void()>> waiting_;  // for the next publication
  std::optional<SteadyTime> forecast_at_;
  std::optional<Instant> last_look_;
  SteadyTime tend_history_at_;
};

}  // namespace keyherd::engine
