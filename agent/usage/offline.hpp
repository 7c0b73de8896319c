#pragma once

// Sums whole logs without an agent, one after the other into one report. Unlike the agent's own
// accounting it takes every key as it is named, and counts a last line without a newline. One
// thread at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
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

// Bytes read so far of what is being read.
using OfflineProgress = std::function<void(std::uint64_t done)>;
// Fills the buffer with what comes next; 0: the end.
using ReadMore = std::function<Result<std::size_t>(std::span<char> buffer)>;

class OfflineReader {
 public:
  // `log` gives format and fields. `context` gives names and prices; it may be empty. Error
  // invalid: the format is not understood.
  static Result<OfflineReader> make(const model::UsageLog& log, const model::UsageContext& context,
                                    Instant now);
  ~OfflineReader();
  OfflineReader(OfflineReader&&) noexcept;
  OfflineReader& operator=(OfflineReader&&) noexcept;

  // The file as it is when reading comes to its end. After an error what was read of it counts.
  Status read_file(const FileSystem& files, const std::string& path,
                   const OfflineProgress& progress = {});
  // The same of a pipe. `name` stands in samples.
  Status read_stream(const ReadMore& more, const std::string& name,
                     const OfflineProgress& progress = {});

  // What all of it says; begins anew.
  OfflineReport take();

 private:
  struct State;
  explicit OfflineReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace keyherd::usage
