#include "store/sqlite_connection.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>

namespace keyherd::store {

namespace {

// How long a commit waits for a person who looks into the file with a write lock.
constexpr int kBusyMillis = 250;

bool is_out_of_space(int system_error) {
  return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

ErrorCode code_of(int sqlite_code, int system_error) {
  switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_NOMEM:
      return ErrorCode::unavailable;
    case SQLITE_FULL:
      return ErrorCode::no_space;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return is_out_of_space(system_error) ? ErrorCode::no_space : ErrorCode::unavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::corrupt;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorCode::denied;
    case SQLITE_CONSTRAINT:
      return ErrorCode::conflict;
    case SQLITE_TOOBIG:
      return ErrorCode::too_large;
    default:
      return ErrorCode::internal;
  }
}

// The operating system's reason of the last failed read or write. SQLite keeps it with each file;
// sqlite3_system_errno() does not know of failures during a commit.
int system_error_of(sqlite3* handle) {
  const auto ask = [&](int what, void* into) {
    return sqlite3_file_control(handle, "main", what, into) == SQLITE_OK;
  };
  int of_database = 0;
  if (ask(SQLITE_FCNTL_LAST_ERRNO, &of_database) && is_out_of_space(of_database))
    return of_database;
  sqlite3_file* log = nullptr;
  int of_log = 0;
  if (ask(SQLITE_FCNTL_JOURNAL_POINTER, &log) && log != nullptr && log->pMethods != nullptr &&
      log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &of_log) == SQLITE_OK &&
      is_out_of_space(of_log))
    return of_log;
  return sqlite3_system_errno(handle);
}

std::string_view advice(ErrorCode code) {
  if (code == ErrorCode::corrupt)
    return "; the file is left as it is: stop the agent and put a backup in its place, or start it "
           "once with --replace-corrupt-state (totals begin again at zero)";
  if (code == ErrorCode::no_space)
    return "; free some space, the agent tries again by itself";
  return "";
}

}  // namespace

Statement::~Statement() {
  sqlite3_finalize(handle_);
}

void Statement::reset() {
  // The code of a reset repeats that of the last step, which was reported.
  static_cast<void>(sqlite3_reset(handle_));
  bind_code_ = SQLITE_OK;
}

void Statement::bind_integer(int index, std::int64_t value) {
  const int code = sqlite3_bind_int64(handle_, index, value);
  bind_code_ = bind_code_ == SQLITE_OK ? code : bind_code_;
}

void Statement::bind_text(int index, std::string_view value) {
  // A null pointer would bind NULL.
  const char* data = value.data() == nullptr ? "" : value.data();
  const int code =
      sqlite3_bind_text64(handle_, index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
  bind_code_ = bind_code_ == SQLITE_OK ? code : bind_code_;
}

void Statement::bind_blob(int index, std::string_view value) {
  const char* data = value.data() == nullptr ? "" : value.data();
  const int code = sqlite3_bind_blob64(handle_, index, data, value.size(), SQLITE_STATIC);
  bind_code_ = bind_code_ == SQLITE_OK ? code : bind_code_;
}

void Statement::bind_null(int index) {
  const int code = sqlite3_bind_null(handle_, index);
  bind_code_ = bind_code_ == SQLITE_OK ? code : bind_code_;
}

Status Statement::run() {
  KH_ASSIGN(const bool row, next());
  if (row)
    reset();
  return {};
}

int Statement::step() {
  return bind_code_ != SQLITE_OK ? bind_code_ : sqlite3_step(handle_);
}

Result<bool> Statement::run_unless_overflow() {
  const int code = step();
  // SQLite turns an overflowing sum into a REAL, which a STRICT table refuses.
  const bool overflow = code == SQLITE_CONSTRAINT_DATATYPE;
  if (code != SQLITE_DONE && !overflow) {
    Error error = connection_->error(code, "using the state file");
    reset();
    return fail(std::move(error));
  }
  reset();
  return !overflow;
}

Result<bool> Statement::next() {
  const int code = step();
  if (code == SQLITE_ROW)
    return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  // Before reset(), which may replace the connection's message.
  Error error = connection_->error(code, "using the state file");
  reset();
  return fail(std::move(error));
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(handle_, column);
}

std::string Statement::text(int column) const {
  const unsigned char* data = sqlite3_column_text(handle_, column);
  const int size = sqlite3_column_bytes(handle_, column);
  if (data == nullptr)
    return {};
  return std::string(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
}

std::string Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(handle_, column);
  const int size = sqlite3_column_bytes(handle_, column);
  if (data == nullptr)
    return {};
  return std::string(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, bool read_only) {
  std::unique_ptr<Connection> connection(new Connection(path));
  // SQLite itself opens with O_CLOEXEC; one thread uses the connection.
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(path.c_str(), &connection->handle_, flags, nullptr);
  if (code != SQLITE_OK)
    return fail(connection->error(code, "opening the state file"));
  sqlite3_busy_timeout(connection->handle_, kBusyMillis);
  sqlite3_db_config(connection->handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection->handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  return connection;
}

Connection::~Connection() {
  statements_.clear();
  sqlite3_close_v2(handle_);
}

Status Connection::execute(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK)
    return fail(error(code, "using the state file"));
  return {};
}

Result<std::int64_t> Connection::integer(const char* sql) {
  KH_ASSIGN(Statement * statement, prepared(sql));
  KH_ASSIGN(const bool row, statement->bind().next());
  const std::int64_t value = row ? statement->integer(0) : 0;
  statement->reset();
  return value;
}

Result<std::string> Connection::text(const char* sql) {
  KH_ASSIGN(Statement * statement, prepared(sql));
  KH_ASSIGN(const bool row, statement->bind().next());
  std::string value = row ? statement->text(0) : std::string();
  statement->reset();
  return value;
}

Result<Statement*> Connection::prepared(std::string_view sql) {
  if (const auto found = statements_.find(sql); found != statements_.end())
    return found->second.get();
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK)
    return fail(error(code, "using the state file"));
  return statements_.emplace(sql, std::make_unique<Statement>(*this, handle)).first->second.get();
}

Status Connection::begin_write() {
  return execute("BEGIN IMMEDIATE");
}
Status Connection::begin_read() {
  return execute("BEGIN");
}
Status Connection::commit() {
  return execute("COMMIT");
}

void Connection::rollback() {
  for (auto& [sql, statement] : statements_)
    statement->reset();
  // On a full disk or an I/O error SQLite has rolled back already, and a ROLLBACK would be an
  // error. If this one fails, the connection stays in its transaction and the next BEGIN says so.
  if (sqlite3_get_autocommit(handle_) == 0)
    static_cast<void>(sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr));
}

Error Connection::error(int code, std::string_view doing) const {
  const int system_error = handle_ == nullptr ? 0 : system_error_of(handle_);
  const ErrorCode meaning = code_of(code, system_error);
  const char* text = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
  return Error{meaning,
               fmt::format("{} {}: {} (SQLite {}){}", doing, path_, text, code, advice(meaning))};
}

}  // namespace keyherd::store
