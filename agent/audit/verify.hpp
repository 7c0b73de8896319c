#pragma once

// Whether an audit log is whole: which lines were changed, removed, added or moved.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/reader.hpp"

namespace keyherd::audit {

enum class Flaw {
  changed,  // the line's own hash is not its hash
  missing,  // lines that must have been there are not
  added,    // a line that the chain does not know
  moved,    // it belongs elsewhere
  foreign,  // no line of an audit log
  torn,     // the last line has no end: a crash, or it is being written
};
std::string_view to_string(Flaw flaw);

struct Finding {
  Flaw flaw = Flaw::changed;
  std::string file;
  std::int64_t line = 0;  // in the file, from 1; of missing lines: the one before which they were
  std::int64_t seq = 0;   // the entry's number; of missing lines the first
  std::string message;    // "entry 5 was changed: …"
};

struct Verdict {
  std::int64_t lines = 0;
  std::int64_t first_seq = 0;
  Head head;  // of the last line that belongs to the chain
  std::vector<std::string> files;
  std::vector<Finding> findings;  // in the order of the files; at most kMostFindings
  std::int64_t flaws = 0;         // all of them
};
inline constexpr std::size_t kMostFindings = 100;

struct VerifyOptions {
  std::string path;
  std::int64_t first = 1;       // the log begins with this entry: older files were taken away
  std::optional<Head> known{};  // what the agent's state says was written last
};

// Errors: those of reading.
Result<Verdict> verify(const FileSystem& files, const VerifyOptions& options);

}  // namespace keyherd::audit
