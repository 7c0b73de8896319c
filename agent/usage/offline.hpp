#pragma once

// Sums one whole log file without an agent. Unlike the agent's own accounting it takes every key as
// it is named, and counts a last line without a newline. Safe to call from any thread.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/result.hpp"
#include "model/usage.hpp"

namespace keyherd::usage {

struct OfflineReport {
  std::vector<model::UsageRow> usage;  // by key, model, bucket
  model::SourceCounts counts;
  std::vector<std::string> samples;  // of rejected lines: reason and place
};

// Bytes read so far, and the size of the file when reading began.
using OfflineProgress = std::function<void(std::uint64_t done, std::uint64_t size)>;

// `log` gives path, format and fields. `context` gives names and prices; it may be empty. Errors:
// the file cannot be read, or the format is not understood.
Result<OfflineReport> read_file(const FileSystem& files, const model::UsageLog& log,
                                const model::UsageContext& context, Instant now,
                                const OfflineProgress& progress = {});

}  // namespace keyherd::usage
