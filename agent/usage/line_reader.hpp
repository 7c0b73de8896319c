#pragma once

// Single lines of a usage log, for who wants each of them and not their sums.

#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "model/usage.hpp"

namespace keyherd::usage {

struct LoggedRequest {
  WallTime at;
  std::string key;
  std::string model;
  int http_status = 200;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::optional<std::int64_t> latency_ms;
  model::NanoUsd cost = 0;
};

class LineReader {
 public:
  // As OfflineReader::make: every key is taken as it is named.
  static Result<LineReader> make(const model::UsageLog& log, const model::UsageContext& context,
                                 Instant now);
  ~LineReader();
  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) noexcept;

  // Nothing for a line that does not count.
  std::optional<LoggedRequest> read(std::string line);

 private:
  struct State;
  explicit LineReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace keyherd::usage
