#pragma once

// Reading an audit log's files, oldest first: the ones that were put aside when they had grown
// large
// ("<path>.<number of its first line, 12 digits>"), then the present one.

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "audit/line.hpp"
#include "base/files.hpp"

namespace keyherd::audit {

inline constexpr std::size_t kLongestLine = 64 * 1024;  // bytes; more is no line of ours

// Errors: those of listing. A log that was never written has no files.
Result<std::vector<std::string>> files_of(const FileSystem& files, const std::string& path);

// One line of a file, counted from 1; `whole` is false for a last one without its end.
struct RawLine {
  const std::string& file;
  std::int64_t number = 0;
  std::string_view text;
  bool whole = true;
};
// Ends early, without an error, when `visit` returns false.
Status each_line(const FileSystem& files, const std::string& file,
                 const std::function<bool(const RawLine&)>& visit);

// Which entries are wanted; empty: all.
struct Query {
  std::optional<WallTime> from;
  std::optional<WallTime> to;  // exclusive
  std::string pool;
  std::string key;
  std::size_t limit = 1'000;  // the newest ones
};
bool matches(const Query& query, const model::AuditEntry& entry);

// Oldest first. Lines that are none are left out: verify() finds them. Errors: those of reading.
Result<std::vector<model::AuditEntry>> read_entries(const FileSystem& files,
                                                    const std::string& path, const Query& query);

}  // namespace keyherd::audit
