#pragma once

// What must survive: one contract, implemented by SQLite (sqlite_store.hpp) and by memory for tests
// (memory_store.hpp). A Batch is committed whole or not at all. One owner at a time: calls are not
// synchronised, the store writer thread makes them; a second process on the same file is refused.
//
// Errors of commit: unavailable (locked; try again), no_space (disk full; try again), corrupt (give
// up and tell a person), internal. After any error nothing of the batch is in the store.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/credential.hpp"
#include "model/health.hpp"
#include "model/pool.hpp"
#include "model/quota.hpp"
#include "model/snapshot.hpp"
#include "model/usage.hpp"
#include "model/wallet.hpp"
#include "store/keyring.hpp"

namespace keyherd::store {

struct ScheduleFire {
  std::string schedule;   // pool id
  WallTime scheduled_at;  // the fire's identity together with the schedule
  WallTime handled_at;
  std::string outcome;  // "started", "missed", "skipped"
};

struct PoolTotals {
  std::array<std::int64_t, model::kRotationTriggerCount> rotations{};
  std::array<std::int64_t, model::kRotationFailureCount> failures{};
  std::int64_t schedule_runs = 0;
  std::int64_t schedule_failures = 0;
  std::int64_t schedule_missed = 0;
  friend bool operator==(const PoolTotals&, const PoolTotals&) = default;
};

// An entry of the audit log that is not known to be in its file yet.
struct AuditRow {
  std::int64_t seq = 0;
  std::string content;
  friend bool operator==(const AuditRow&, const AuditRow&) = default;
};

// Everything that changes together. Usage rows, minutes, failures and source counts are added to
// what is there (so are suspects and balance drops); all other rows replace the row of the same
// identity.
struct Batch {
  std::vector<model::UsageRow> usage;     // (key, model, bucket) += and totals +=; of width 1
  std::vector<model::MinuteRow> minutes;  // (key, minute) +=
  std::map<std::string, std::array<std::int64_t, model::kUsageFailureCount>>
      usage_failures;                                        // key +=
  std::map<std::string, model::SuspectCounts> suspects;      // key +=
  std::map<std::string, WallTime> last_used;                 // key: max
  std::map<std::string, model::SourceCounts> source_counts;  // source +=
  std::vector<model::FileCursor> cursors;                    // (source, id)
  std::vector<std::pair<std::string, std::int64_t>> dropped_cursors;
  model::SeenBlocks seen;                                  // appended
  std::int64_t seen_from = 0;                              // blocks of older epochs are deleted
  std::vector<model::QuotaWindow> quota_windows;           // (quota, owner)
  std::vector<model::BalanceRecord> balances;              // (key, currency)
  std::vector<model::BalanceDrop> balance_drops;           // (key, currency, bucket) +=
  std::vector<model::KeyHealth> health;                    // key
  std::map<std::string, model::ProbeTotals> probe_totals;  // key
  std::vector<model::Evidence> evidence;                   // appended to the history
  std::vector<model::StateChange> changes;                 // appended to the history
  std::vector<model::PoolState> pools;                     // pool
  std::map<std::string, PoolTotals> pool_totals;           // pool
  std::vector<model::Rotation> rotations;                  // rotation id
  // (schedule, scheduled_at): inserting one that exists is a conflict and fails the batch.
  std::vector<ScheduleFire> fires;
  // Dropped rows go before new ones come.
  std::vector<std::string> dropped_sealed;       // id
  std::vector<SealedSecret> sealed;              // id
  std::vector<std::string> dropped_credentials;  // name
  std::vector<model::Credential> credentials;    // name
  std::map<std::string, std::string> settings;   // small named facts
  std::int64_t audit_written = 0;                // rows up to this number are deleted
  std::vector<AuditRow> audit;                   // number

  [[nodiscard]] bool empty() const;
};

// What a start needs. Histories are bounded: of each key the newest evidences and the newest ones
// of probes, the newest 200 rotations, those of the hour before the newest, and all that are not
// final.
struct State {
  std::map<std::string, std::map<std::string, model::UsageCounts>> usage_totals;  // key → model
  std::map<std::string, std::array<std::int64_t, model::kUsageFailureCount>> usage_failures;
  std::map<std::string, model::SuspectCounts> suspects;
  std::map<std::string, WallTime> last_used;
  std::map<std::string, model::SourceCounts> source_counts;
  std::vector<model::FileCursor> cursors;
  std::vector<model::SeenBlock> seen;  // as appended, though some may be one by now
  std::vector<model::QuotaWindow> quota_windows;
  std::vector<model::BalanceRecord> balances;
  std::map<std::string, model::KeyHealth> health;
  std::map<std::string, model::ProbeTotals> probe_totals;
  std::vector<model::Evidence> evidence;  // newest first
  std::map<std::string, model::PoolState> pools;
  std::map<std::string, PoolTotals> pool_totals;
  std::vector<model::Rotation> rotations;                // newest first
  std::map<std::string, ScheduleFire> last_fires;        // newest by schedule
  std::map<std::string, SealedSecret> sealed;            // by id
  std::map<std::string, model::Credential> credentials;  // by name
  std::map<std::string, std::string> settings;
  std::vector<AuditRow> audit;  // by number
};
inline constexpr std::size_t kRecentPerKey = 3;
inline constexpr std::size_t kRecentProbesPerKey = 2;

struct UsageQuery {
  std::optional<WallTime> from;   // whole buckets
  std::optional<WallTime> to;     // exclusive
  std::vector<std::string> keys;  // empty: all
};
using UsageVisitor = std::function<Status(const model::UsageRow&)>;

// So many quarters of an hour, from `first` on.
struct BucketSpan {
  std::int64_t first = 0;
  std::int32_t width = 1;
};

// What grows old is kept in wider rows: quarters of an hour become hours, hours become days.
enum class RollUpInto { hours, days };
struct RollUp {
  RollUpInto into = RollUpInto::hours;
  // Rows that begin before it move. The start of a span, or the span's row is completed later.
  WallTime before;
  // The span that a bucket belongs to: of an hour, or of a day, in whatever time zone.
  std::function<BucketSpan(std::int64_t bucket)> span_of;
  std::size_t max_rows = 50'000;  // about; so that commits do not wait for long
};

// Of one key's history: newest first, at most `limit`, up to and including `until`.
struct HistoryQuery {
  std::string key;
  std::optional<WallTime> until;  // nothing: all
  std::size_t limit = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  virtual Result<State> load() = 0;
  virtual Status commit(const Batch& batch) = 0;
  // Calls `visit` for the history that begins in the range, by (key, model, bucket, width); ends
  // early with the visitor's error.
  virtual Status each_usage(const UsageQuery& query, const UsageVisitor& visit) = 0;
  // The same in one list: for ranges that are known to be small.
  Result<std::vector<model::UsageRow>> usage(const UsageQuery& query);
  // History by (key, minute), in that order.
  virtual Result<std::vector<model::MinuteRow>> minutes(const UsageQuery& query) = 0;
  // History by (key, currency, bucket), in that order.
  virtual Result<std::vector<model::BalanceDrop>> balance_drops(const UsageQuery& query) = 0;
  virtual Result<std::vector<model::Evidence>> evidence(const HistoryQuery& query) = 0;
  virtual Result<std::vector<model::StateChange>> changes(const HistoryQuery& query) = 0;
  // Newest first; of one pool, or of all when empty.
  virtual Result<std::vector<model::Rotation>> rotations(const std::string& pool,
                                                         std::size_t limit) = 0;
  // Moves old usage into wider rows; no count is lost or told twice. True: there is more to move.
  virtual Result<bool> roll_up(const RollUp& plan) = 0;
  // Deletes history that ended before the given times. Totals stay, and so does the last change of
  // each key before that time: it tells the state that the key was in.
  virtual Status prune(WallTime usage_before, WallTime minutes_before,
                       WallTime evidence_before) = 0;
};

}  // namespace keyherd::store
