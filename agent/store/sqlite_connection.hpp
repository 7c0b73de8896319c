#pragma once

// SQLite behind RAII and Result: a connection, its kept prepared statements, and the one place
// where an SQLite code becomes an Error. For the SQLite store alone; one thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/time_text.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace keyherd::store {

class Connection;

// Bytes that are no text.
struct Blob {
  std::string_view bytes;
};

// A prepared statement, kept and reused. Text that was bound must live until run() or the last
// next().
class Statement {
 public:
  Statement(Connection& connection, sqlite3_stmt* handle)
      : connection_(&connection), handle_(handle) {}
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Binds all parameters, in order: integers, bools, text, times, and optionals of them.
  template <class... Values>
  Statement& bind(const Values&... values) {
    reset();
    int index = 0;
    (bind_value(++index, values), ...);
    return *this;
  }
  // Executes a statement that returns no rows.
  Status run();
  // The same; false, and nothing done, when a sum would not fit into its INTEGER column.
  Result<bool> run_unless_overflow();
  // Steps to the next row; false at the end. A loop that leaves early calls reset().
  Result<bool> next();
  void reset();

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] bool boolean(int column) const { return integer(column) != 0; }
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::string bytes(int column) const;
  [[nodiscard]] WallTime time(int column) const { return from_unix_nanos(integer(column)); }
  [[nodiscard]] std::optional<WallTime> optional_time(int column) const {
    return is_null(column) ? std::nullopt : std::optional(time(column));
  }

 private:
  template <class Value>
  void bind_value(int index, const Value& value) {
    if constexpr (std::is_same_v<Value, WallTime>)
      bind_integer(index, to_unix_nanos(value));
    else if constexpr (std::is_integral_v<Value>)
      bind_integer(index, static_cast<std::int64_t>(value));
    else if constexpr (std::is_same_v<Value, Blob>)
      bind_blob(index, value.bytes);
    else
      bind_text(index, value);
  }
  template <class Value>
  void bind_value(int index, const std::optional<Value>& value) {
    if (value)
      bind_value(index, *value);
    else
      bind_null(index);
  }
  void bind_integer(int index, std::int64_t value);
  void bind_text(int index, std::string_view value);
  void bind_blob(int index, std::string_view value);
  void bind_null(int index);
  int step();

  Connection* connection_;
  sqlite3_stmt* handle_;
  int bind_code_ = 0;
};

class Connection {
 public:
  // Opens an existing file (read only), or one that may be created.
  static Result<std::unique_ptr<Connection>> open(const std::string& path, bool read_only);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Runs statements that return no rows of interest.
  Status execute(const char* sql);
  // One integer: of a PRAGMA or a count.
  Result<std::int64_t> integer(const char* sql);
  Result<std::string> text(const char* sql);
  // The statement of this text; prepared at the first call. `sql` must be a literal.
  Result<Statement*> prepared(std::string_view sql);

  Status begin_write();  // BEGIN IMMEDIATE
  Status begin_read();
  Status commit();
  // Ends the transaction, if SQLite has not already done so by itself (it does when the disk is
  // full).
  void rollback();

  // What an SQLite code means for a caller. `doing` is "committing to".
  [[nodiscard]] Error error(int code, std::string_view doing) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit Connection(std::string path) : path_(std::move(path)) {}

  std::string path_;
  sqlite3* handle_ = nullptr;
  std::unordered_map<std::string_view, std::unique_ptr<Statement>> statements_;
};

}  // namespace keyherd::store
