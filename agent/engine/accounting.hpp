#pragma once

// Usage and quotas: tallies wait here for the next commit, go into it together with the quota
// windows that they change, and count only once it is done. Owned by the loop.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/commit_pipeline.hpp"
#include "engine/effects.hpp"
#include "engine/herd.hpp"
#include "quota/drains.hpp"
#include "quota/ledger.hpp"

namespace keyherd::engine {

// The history that the drains want at the start.
struct DrainNeed {
  std::vector<std::string> keys;
  WallTime drops_from;
  WallTime usage_from;  // earlier where a fall began earlier, but never before `earliest`
  WallTime earliest;
};

class Accounting {
 public:
  Accounting(Herd& herd, CommitPipeline& pipeline, Effects& effects, spdlog::logger& log)
      : herd_(herd), pipeline_(pipeline), effects_(effects), log_(log) {}

  // Errors: invalid (a quota that cannot be kept), unavailable (a commit with quota windows is
  // under way: try again after it). The old quotas stay.
  Status configure(const Setup& setup, Instant now);
  // Called once, after the first configure.
  void restore(const store::State& state, Instant now);

  // The history that new quotas want; until seed() no tally is committed.
  [[nodiscard]] quota::HistoryNeed history_needed(Instant now) const;
  [[nodiscard]] quota::HistoryNeed burn_needed(Instant now) const;
  void expect_seed() { seed_ = Seed{}; }
  void seed(std::vector<model::UsageRow> usage, std::vector<model::MinuteRow> minutes);
  // What the drains want of the history, once, at the start: nothing when no balance is known.
  [[nodiscard]] std::optional<DrainNeed> drains_needed(Instant now);
  void seed_burn(const std::vector<model::UsageRow>& usage,
                 const std::vector<model::MinuteRow>& minutes);
  void seed_drains(const std::vector<model::UsageRow>& usage,
                   const std::vector<model::BalanceDrop>& drops);

  void add(model::Tally tally);
  void add(const std::vector<model::BalanceDrop>& drops);

  // Whether something waits to be committed, or a window to begin anew.
  [[nodiscard]] bool has_work(Instant now) const;
  // Moves it into the pipeline's next batch. Only right before a fresh batch starts: there is one
  // plan at a time.
  void fill(Instant now);
  [[nodiscard]] std::optional<WallTime> next_roll(WallTime now) const;

  [[nodiscard]] std::vector<model::QuotaStatus> status_of(const std::string& key,
                                                          WallTime now) const;
  // Of the key and of its limit group.
  [[nodiscard]] std::vector<model::QuotaStatus> limits_of(const model::Key& key,
                                                          WallTime now) const;
  [[nodiscard]] std::vector<model::QuotaStatus> group_status(WallTime now) const;
  // Of the last hours; looked at anew every few seconds.
  [[nodiscard]] const std::vector<model::WalletDrain>& drains(Instant now);
  // As KeyView::balances_gone_at.
  [[nodiscard]] std::optional<WallTime> gone_at(const model::BalanceRecord& balance,
                                                WallTime now) const;
  // As KeyView::trust.
  [[nodiscard]] std::optional<double> trust(const KeyRecord& record, WallTime now) const;
  // Sources whose view changed since the last call.
  std::set<std::string> take_changed() { return std::exchange(changed_, {}); }
  [[nodiscard]] const model::SourceView& source(const std::string& id) const {
    return sources_.at(id);
  }
  [[nodiscard]] const std::map<std::string, model::SourceView>& sources() const { return sources_; }

 private:
  struct Seed {
    bool ready = false;
    std::vector<model::UsageRow> usage;
    std::vector<model::MinuteRow> minutes;
  };
  // What a commit will make true.
  struct Planned {
    std::vector<model::Tally> tallies;
    quota::Change change;
  };

  static void keep_samples(model::SourceView& view, const model::Tally& tally);
  void commit_rows(std::vector<model::Tally>& tallies, WallTime now);
  void adopt(const std::shared_ptr<Planned>& planned, Instant now);
  void count(const store::Batch& batch, Instant now);
  void count(const model::Tally& tally, Instant now);
  void observe(const model::Tally& tally, Instant now);
  void announce(const quota::Change& change, Instant now);

  Herd& herd_;
  CommitPipeline& pipeline_;
  Effects& effects_;
  spdlog::logger& log_;
  std::optional<quota::Ledger> ledger_;
  quota::Drains drains_;
  bool drains_seeded_ = false;
  std::vector<model::WalletDrain> drained_;
  std::map<std::string, double> explained_;  // share of the wallet's fall, by key; absent: all
  std::optional<SteadyTime> drained_at_;
  std::map<std::string, model::SourceView> sources_;
  std::vector<model::Tally> waiting_;
  std::optional<Seed> seed_;
  bool planned_ = false;  // a plan waits for its commit: the ledger must stay the one that made it
  std::map<std::pair<std::string, std::string>, WallTime> window_starts_;
  std::set<std::string> changed_;
};

}  // namespace keyherd::engine
