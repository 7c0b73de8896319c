#include "store/sqlite_store.hpp"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

#include "store/sqlite_connection.hpp"
#include "store/sqlite_file.hpp"
#include "store/sqlite_history.hpp"
#include "store/sqlite_names.hpp"
#include "store/sqlite_reader.hpp"
#include "store/sqlite_retention.hpp"
#include "store/sqlite_schema.hpp"
#include "store/sqlite_writer.hpp"

namespace keyherd::store {

namespace {

// A file larger than this is not read whole at a start: a check must not cost seconds. SQLite finds
// damage in a larger one when it meets it.
constexpr off_t kCheckAtMost = off_t{64} << 20;

class SqliteStore final : public Store {
 public:
  SqliteStore(std::optional<OwnerLock> lock, std::unique_ptr<Connection> connection, bool read_only)
      : lock_(std::move(lock)),
        connection_(std::move(connection)),
        names_(*connection_),
        read_only_(read_only) {}

  Status start() { return names_.load(); }

  Result<State> load() override {
    return reading<State>([&] { return read_state(*connection_, names_); });
  }

  Status commit(const Batch& batch) override {
    return writing([&] { return write_batch(*connection_, names_, batch); });
  }

  Status each_usage(const UsageQuery& query, const UsageVisitor& visit) override {
    const auto done = reading<bool>([&]() -> Result<bool> {
      KH_TRY(read_usage(*connection_, names_, query, visit));
      return true;
    });
    return done ? Status() : Status(fail(done.error()));
  }

  Result<std::vector<model::MinuteRow>> minutes(const UsageQuery& query) override {
    return reading<std::vector<model::MinuteRow>>(
        [&] { return read_minutes(*connection_, names_, query); });
  }

  Result<std::vector<model::BalanceDrop>> balance_drops(const UsageQuery& query) override {
    return reading<std::vector<model::BalanceDrop>>(
        [&] { return read_balance_drops(*connection_, names_, query); });
  }

  Result<std::vector<model::Evidence>> evidence(const HistoryQuery& query) override {
    return reading<std::vector<model::Evidence>>(
        [&] { return read_evidence(*connection_, names_, query); });
  }

  Result<std::vector<model::StateChange>> changes(const HistoryQuery& query) override {
    return reading<std::vector<model::StateChange>>(
        [&] { return read_changes(*connection_, names_, query); });
  }

  Result<std::vector<model::Rotation>> rotations(const std::string& pool,
                                                 std::size_t limit) override {
    return reading<std::vector<model::Rotation>>(
        [&] { return read_rotations(*connection_, pool, limit); });
  }

  Result<bool> roll_up(const RollUp& plan) override {
    bool more = false;
    KH_TRY(writing([&]() -> Status {
      KH_ASSIGN(more, roll_up_usage(*connection_, names_, plan));
      return {};
    }));
    return more;
  }

  Status prune(WallTime usage_before, WallTime minutes_before, WallTime evidence_before) override {
    return writing(
        [&] { return prune_history(*connection_, usage_before, minutes_before, evidence_before); });
  }

 private:
  // One read transaction, so that all rows are of one moment. Someone else may write the file when
  // this store is read only: then new names may have come.
  template <class Value, class Read>
  Result<Value> reading(Read read) {
    KH_TRY(connection_->begin_read());
    Status fresh = read_only_ ? names_.load() : Status();
    Result<Value> value = fresh ? read() : Result<Value>(fail(std::move(fresh).error()));
    connection_->rollback();
    return value;
  }

  template <class Write>
  Status writing(Write write) {
    if (read_only_)
      return fail(ErrorCode::denied,
                  "writing to " + connection_->path() + ": it was opened for reading only");
    KH_TRY(connection_->begin_write());
    Status done = write();
    if (done)
      done = connection_->commit();
    if (!done) {
      connection_->rollback();
      names_.rolled_back();
      return done;
    }
    names_.committed();
    return {};
  }

  std::optional<OwnerLock> lock_;  // outlives the connection
  std::unique_ptr<Connection> connection_;
  Names names_;
  bool read_only_;
};

// Whether the last owner left a write-ahead log behind: it did not stop in order.
bool was_left_open(const std::string& path) {
  struct stat status {};
  return ::stat((path + "-wal").c_str(), &status) == 0 && status.st_size > 0;
}

Status quick_check(Connection& connection) {
  struct stat status {};
  if (::stat(connection.path().c_str(), &status) != 0 || status.st_size > kCheckAtMost)
    return {};
  KH_ASSIGN(const std::string verdict, connection.text("PRAGMA quick_check(1)"));
  if (verdict == "ok")
    return {};
  return fail(ErrorCode::corrupt,
              "opening " + connection.path() + ": it is damaged (" + verdict +
                  "); the file is left as it is: put a backup in its place, or start once with "
                  "--replace-corrupt-state (totals begin again at zero)");
}

Status configure(Connection& connection, bool read_only) {
  KH_TRY(connection.execute("PRAGMA cell_size_check = ON"));
  KH_TRY(connection.execute(
      "PRAGMA cache_size = -2048"));  // 2 MiB: the rows of one batch stand in order
  if (read_only)
    return {};
  // FULL: a rotation's journal must be on disk before its effect is in the world.
  KH_TRY(connection.execute("PRAGMA synchronous = FULL"));
  KH_TRY(connection.execute("PRAGMA journal_size_limit = 67108864"));
  return {};
}

Status enable_wal(Connection& connection) {
  KH_ASSIGN(const std::string mode, connection.text("PRAGMA journal_mode = WAL"));
  if (mode == "wal")
    return {};
  return fail(
      ErrorCode::unavailable,
      "opening " + connection.path() +
          ": its file system does not support a write-ahead log (shared memory is needed); use "
          "a local disk");
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options) {
  KH_ASSIGN(const std::string path, canonical_database_path(options.path));
  KH_TRY(check_ownership(path));
  if (options.read_only && ::access(path.c_str(), F_OK) != 0)
    return fail(errno_error(errno, "opening " + path));
  std::optional<OwnerLock> lock;
  bool left_open = false;
  if (!options.read_only) {
    KH_ASSIGN(lock, OwnerLock::take(path));
    left_open = was_left_open(path);
    KH_TRY(create_file(path));
  }
  KH_ASSIGN(std::unique_ptr<Connection> connection, Connection::open(path, options.read_only));
  KH_TRY(configure(*connection, options.read_only));
  KH_TRY(prepare_schema(*connection, options.read_only));
  if (!options.read_only) {
    // After the check that the file is ours: these change it.
    KH_TRY(make_private(path));
    KH_TRY(enable_wal(*connection));
    if (left_open)
      KH_TRY(quick_check(*connection));
  }
  auto store =
      std::make_unique<SqliteStore>(std::move(lock), std::move(connection), options.read_only);
  KH_TRY(store->start());
  return store;
}

Result<std::string> set_aside_sqlite_file(const std::string& path, WallTime now) {
  KH_ASSIGN(const std::string real, canonical_database_path(path));
  KH_ASSIGN(const OwnerLock lock, OwnerLock::take(real));
  std::string ending = ".corrupt-" + format_rfc3339(now);
  std::replace(ending.begin(), ending.end(), ':', '-');
  // The log first: without it the file is an older one, and damaged still.
  for (const char* part : {"-wal", "-shm", ""}) {
    const std::string from = real + part;
    if (::rename(from.c_str(), (real + ending + part).c_str()) != 0 && errno != ENOENT)
      return fail(errno_error(errno, "moving aside " + from));
  }
  return real + ending;
}

std::string_view sqlite_version() {
  return sqlite3_libversion();
}

}  // namespace keyherd::store
