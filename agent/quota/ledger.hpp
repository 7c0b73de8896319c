#pragma once

// Tallies to quota windows: how much of each limit is used, which thresholds were crossed, and
// until when a key is out of quota. One owner, one thread (the loop); nothing here reads a clock or
// waits.
//
// A change is planned, committed by the caller together with the rows that caused it, and only then
// adopted:
//   Change change = ledger.plan(rows, minutes, now);
//   ... commit change.windows, announce change.crossings after the commit ...
//   ledger.adopt(std::move(change));
// A plan that was not committed is dropped. Between a plan and its adoption nothing else is
// adopted.
//
// At start: make, restore what the store kept, then read the history that history_needed() asks
// for, and plan_seed with it (also when it is empty), commit and adopt. On reload: make, inherit
// from the ledger in use, then the same seeding for what is new. After a step back of the clock
// history_needed() may name a window that is not held any more: seed again; such a window announces
// nothing.
//
// Rows count in the window of their own time. Rows of windows gone by never touch the current one;
// a window left by a step of the clock is kept for its return. A threshold is announced once per
// window; in a rolling window it is armed again when the use has fallen a tenth below it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "model/quota.hpp"
#include "model/quota_status.hpp"
#include "model/usage.hpp"

namespace keyherd::quota {

// One quota on one owner: a key, or "group:" and a limit group, whose keys' use is summed.
struct Assignment {
  model::Quota quota;
  std::string owner;
  std::vector<std::string> keys;
};

// A threshold that was reached. When several are reached at once each is reported, in order, and
// the last is the highest.
struct Crossing {
  std::string quota;
  std::string owner;
  std::string_view level;  // info, warning, critical
  int number = 0;          // as QuotaStatus::level: how many thresholds lie at or below this one
  double threshold = 0;
  bool highest = false;
  model::QuotaUnit unit = model::QuotaUnit::tokens;
  std::int64_t used = 0;
  std::int64_t limit = 0;
  std::optional<WallTime> resets_at;
};

// Why a key is out of quota: the limit that holds it longest.
struct Exhaustion {
  std::string quota;
  std::string owner;
  WallTime until;  // WallTime::max() for a total, which never resets
};

// The history that windows without a known past want, from these times to now.
struct HistoryNeed {
  std::vector<std::string> keys;  // sorted
  std::optional<WallTime> usage_from;
  std::optional<WallTime> minutes_from;
  [[nodiscard]] bool empty() const { return !usage_from && !minutes_from; }
};

class Planner;

class Change {
 public:
  struct Updates;
  std::vector<model::QuotaWindow> windows;  // to be committed
  std::vector<Crossing> crossings;          // to be announced after the commit
  // Whether adopting it would change anything.
  [[nodiscard]] bool empty() const;

 private:
  friend class Ledger;
  std::shared_ptr<const Updates> updates_;
};

class Ledger {
 public:
  // Errors: invalid (limit, thresholds, time zone, rolling length: whole minutes, at most 31 days),
  // conflict (the same quota twice on one owner).
  static Result<Ledger> make(std::vector<Assignment> assignments);
  Ledger(Ledger&&) noexcept;
  Ledger& operator=(Ledger&&) noexcept;
  ~Ledger();

  // Takes up the stored windows. Those that ended, or do not fit their quota any more, are left
  // out.
  void restore(const std::vector<model::QuotaWindow>& windows, WallTime now);
  // Takes up the windows of quotas that count the same thing in the same windows as before.
  void inherit(const Ledger& previous, WallTime now);

  [[nodiscard]] HistoryNeed history_needed(WallTime now) const;
  [[nodiscard]] HistoryNeed burn_needed(WallTime now) const;
  // Replaces the use of the windows without a known past; rows of others are ignored.
  [[nodiscard]] Change plan_seed(const std::vector<model::UsageRow>& usage,
                                 const std::vector<model::MinuteRow>& minutes, WallTime now) const;
  // Adds the rows and begins the windows that are due. Without rows: only the latter.
  [[nodiscard]] Change plan(const std::vector<model::UsageRow>& usage,
                            const std::vector<model::MinuteRow>& minutes, WallTime now) const;
  // Precondition: the change was planned by this ledger and nothing was adopted since.
  void adopt(Change change);

  // Notes committed rows for the forecast; seed_burn() those of the history that burn_needed() asks
  // for, for quotas that do not know their last hour.
  void observe(const std::vector<model::UsageRow>& usage,
               const std::vector<model::MinuteRow>& minutes);
  void seed_burn(const std::vector<model::UsageRow>& usage,
                 const std::vector<model::MinuteRow>& minutes);

  // In the order of the assignments.
  [[nodiscard]] std::vector<model::QuotaStatus> status(std::string_view owner, WallTime now) const;
  [[nodiscard]] std::vector<model::QuotaStatus> status(WallTime now) const;
  // The keys whose use counts for this owner; empty for one without a quota.
  [[nodiscard]] const std::vector<std::string>& keys_of(std::string_view owner) const;
  // Nothing when no limit of the key or its group is reached.
  [[nodiscard]] std::optional<Exhaustion> exhausted(std::string_view key, WallTime now) const;
  // When to plan again without rows, or to look at a rolling window's status again; `now` when that
  // is overdue.
  [[nodiscard]] std::optional<WallTime> next_roll(WallTime now) const;
  // Whether a quota of this key counts by the minute (minute and rolling windows).
  [[nodiscard]] bool needs_minutes(std::string_view key) const;
  // The longest rolling window, for how long to keep minutes; zero without any.
  [[nodiscard]] std::chrono::nanoseconds minutes_kept() const;

 private:
  struct Impl;
  explicit Ledger(std::unique_ptr<Impl> impl);
  Change finished(Planner& planner) const;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyherd::quota
