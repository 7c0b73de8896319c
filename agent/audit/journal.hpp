#pragma once

// The audit log as a file that only grows: a line is on the disk before its append returns, a torn
// last line is mended, a file that has grown large is put aside and the chain goes on in the next.
// One thread at a time; one agent a file.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "audit/line.hpp"
#include "audit/reader.hpp"

namespace keyherd::audit {

struct Appended {
  Head head;  // of the last line in the file
  // What was found and mended on the way, for people and for the log itself.
  std::vector<std::string> mended;
};

class Journal {
 public:
  virtual ~Journal() = default;
  // Appends the lines, which are in order, and syncs. Those that the file has already, by their
  // numbers, are left out: after a crash all that may be missing is simply given again. Errors:
  // no_space, denied, conflict (another process writes it), … : nothing was added, try again.
  virtual Result<Appended> append(const std::vector<Line>& lines) = 0;
  virtual Result<std::vector<model::AuditEntry>> read(const Query& query) = 0;
};

struct JournalOptions {
  std::string path;  // its directory exists
  std::uint64_t max_bytes = 64ULL * 1024 * 1024;
  // The last line that is known to have been written: the chain goes on from there even if the
  // file lost it, and so shows that it did.
  Head known{};
};

// Touches nothing before the first append.
std::unique_ptr<Journal> make_file_journal(JournalOptions options, const FileSystem& files);
std::unique_ptr<Journal> make_memory_journal();

}  // namespace keyherd::audit
