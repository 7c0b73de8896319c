#pragma once

// What the API may ask of the agent. The engine implements it; tests give their own. Safe to call
// from any thread; nothing here waits for the loop: what takes time comes back as a Pending.

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "model/audit.hpp"
#include "model/evidence.hpp"
#include "model/health.hpp"
#include "model/pool.hpp"
#include "model/snapshot.hpp"
#include "model/usage.hpp"

namespace keyherd::api {

// An answer on its way: empty until it is there.
template <class T>
using Pending = std::function<std::optional<Result<T>>()>;

struct RotateCommand {
  std::string pool;
  std::optional<std::string> to;
  std::string reason;
  std::string actor;
  bool dry_run = false;
};

struct DrillCommand {
  std::string pool;
  std::string key;
  std::chrono::nanoseconds at_most = std::chrono::minutes(5);
  std::string actor;
};

// What consumers are told to use now: the published decision.
struct ActiveKey {
  std::string pool;
  std::string key;
  std::shared_ptr<const Secret> secret;
  std::int64_t generation = 0;
  WallTime published_at;
  WallTime valid_until;
};

struct UsageRange {
  std::optional<WallTime> from;
  std::optional<WallTime> to;     // exclusive
  std::vector<std::string> keys;  // empty: all
};
// Reads the history of a range row by row, by key, model and time; ends with the visitor's error.
using UsageVisitor = std::function<Status(const model::UsageRow&)>;
using ReadUsage = std::function<Status(const UsageRange&, const UsageVisitor&)>;
struct UsageAnswer {
  std::string body;        // JSON
  std::string next_query;  // of the page that follows; empty: this was the last
};

// What became of lines that were sent to the agent.
struct DeliveryReport {
  std::string log;
  model::SourceCounts counts;
  std::vector<std::string> samples;  // as in a Tally
};

// One key of a pool for one request.
struct HandedOut {
  std::string key;
  std::shared_ptr<const Secret> secret;
  std::shared_ptr<const model::Provider> provider;
  // Where there is none (key is empty): why, one line, and when to ask again.
  std::string why_none;
  WallTime ask_again;
};

// What became of a request that a key was handed out for.
struct UseReport {
  std::string key;
  int http_status = 0;                    // 0: no answer came
  std::optional<model::Verdict> verdict;  // what the answer says, if the client knows more
  std::optional<std::chrono::nanoseconds> retry_after;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::string line;  // all of it as a line of the native usage log, with its newline
};

struct ImportCommand {
  std::string document;  // {"keys":[…]}, as key_files have it, and "sealed", as an export has it
  std::string name;      // of the document, for messages
  std::shared_ptr<const Secret> passphrase;  // null: none was given
  bool dry_run = false;
  std::string actor;
};
struct ImportReport {
  std::vector<std::string> added;
  std::vector<std::pair<std::string, std::vector<std::string>>> changed;  // and which fields
  std::size_t unchanged = 0;
  std::size_t secrets = 0;  // that were, or would be, sealed into the keyring
  bool dry_run = false;
};

struct Firing {
  std::string schedule;
  WallTime at;
  std::string local;  // in the schedule's own zone, with its offset
};

// Which entries of the audit log; empty: all.
struct AuditQuestion {
  std::optional<WallTime> from;
  std::optional<WallTime> to;  // exclusive
  std::string pool;
  std::string key;
  std::size_t limit = 1'000;  // the newest ones
};

struct TimelineQuestion {
  WallTime from;
  WallTime to;                    // exclusive
  std::string pool;               // whose rotations and decisions; empty: no pool's
  std::vector<std::string> keys;  // whose probes, states and usage
};
// What happened to a pool or a key, from all that the agent has on record.
struct TimelineEvent {
  WallTime at;
  std::string what;  // "probe", "log", "state", "rotation", "usage", or the act of an audit entry
  std::string pool;
  std::string key;
  std::string actor;  // of rotations that begin and of audit entries
  std::string text;
};
inline constexpr std::size_t kMostTimelineEvents = 5'000;

class Control {
 public:
  virtual ~Control() = default;

  [[nodiscard]] virtual model::SnapshotPtr snapshot() const = 0;
  // Error: not_found (no such pool), unavailable (nothing published yet).
  [[nodiscard]] virtual Result<ActiveKey> active(const std::string& pool) const = 0;

  // The rotation once it is final, `refused` and `needs_human` included. Errors: not_found,
  // conflict (another one is running: the message names it), unavailable.
  virtual Pending<model::Rotation> rotate(RotateCommand command) = 0;
  // The evidence of a probe made now.
  virtual Pending<model::Evidence> probe(const std::string& key, const std::string& actor) = 0;
  virtual Pending<model::KeyHealth> pause(const std::string& key, const std::string& actor) = 0;
  virtual Pending<model::KeyHealth> resume(const std::string& key, const std::string& actor) = 0;
  // What was believed of the key at that moment (nothing: now) and what had led to it.
  virtual Pending<model::KeyStory> explain(const std::string& key, std::optional<WallTime> at) = 0;
  // No automation moves the pool until then; people still can. Error: not_found.
  virtual Pending<model::PoolView> freeze(const std::string& pool, model::Freeze freeze) = 0;
  virtual Pending<model::PoolView> unfreeze(const std::string& pool, const std::string& actor) = 0;
  // Treats the key as revoked until it was replaced, or for so long; the snapshot tells how it
  // goes. Errors: not_found, conflict (another drill; or it would hurt).
  virtual Pending<model::Drill> drill(DrillCommand command) = 0;
  // What changed, a line each. Error invalid: the configuration is bad, the old one stays.
  virtual Pending<std::vector<std::string>> reload(const std::string& actor) = 0;

  // From the store's history.
  // An answer made where the history may be read, so that no list of all rows is needed.
  virtual Pending<UsageAnswer> usage(std::function<Result<UsageAnswer>(const ReadUsage&)> make) = 0;
  // What wallets lost in the range, against the history of usage.
  virtual Pending<std::vector<model::WalletDrain>> drains(UsageRange range) = 0;
  // Counts lines in the format of a configured usage log; answers when they are in the store.
  // Errors: not_found (no such log), unavailable (the store lags: send them again later; they are
  // counted once as far as they have request ids), invalid.
  virtual Pending<DeliveryReport> deliver_usage(std::string log, std::string lines) = 0;
  // One key of the pool by its strategy, at once; only a pool's first call waits for the loop.
  // `exclude`: keys that the caller does not want.
  virtual Pending<HandedOut> next(const std::string& pool, std::vector<std::string> exclude) = 0;
  // Counts for the pool's next decisions at once; true when the usage is in the store. Errors:
  // not_found (the pool has no such key), unavailable (the store lags: report it again).
  virtual Pending<bool> report(const std::string& pool, UseReport report) = 0;
  virtual Pending<std::vector<model::Rotation>> rotations(const std::string& pool,
                                                          std::size_t limit) = 0;

  // Oldest first. Error not_found: no audit log is kept.
  virtual Pending<std::vector<model::AuditEntry>> audit(AuditQuestion question) = 0;
  // By time; the newest kMostTimelineEvents.
  virtual Pending<std::vector<TimelineEvent>> timeline(TimelineQuestion question) = 0;
  // All of the document or, with an error, nothing: keys that are new, and other fields for those
  // that an earlier import brought. Errors: invalid (all problems, a line each), conflict, denied
  // (another passphrase).
  virtual Pending<ImportReport> import_keys(ImportCommand command) = 0;
  // All keys as such a document; with a passphrase their secrets are sealed in it.
  virtual Pending<std::string> export_keys(std::shared_ptr<const Secret> passphrase,
                                           const std::string& actor) = 0;

  // Whose days usage is told by when nobody names another zone.
  [[nodiscard]] virtual std::string timezone() const = 0;
  // The next firings of every pool's schedule, soonest first.
  [[nodiscard]] virtual std::vector<Firing> schedule(WallTime from, std::size_t count) const = 0;
};

}  // namespace keyherd::api
