#pragma once

// The families that do not come from a Snapshot: HTTP, log lines, the process, the scrape itself.
// Held in a prometheus-cpp registry. Safe to call from any thread.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/log.hpp"

namespace keyherd::metrics {

class OwnMetrics {
 public:
  explicit OwnMetrics(const LogCounts& log);  // `log` outlives this
  ~OwnMetrics();
  OwnMetrics(const OwnMetrics&) = delete;
  OwnMetrics& operator=(const OwnMetrics&) = delete;

  void observe_http(std::string_view handler, std::string_view method, int status,
                    std::chrono::nanoseconds duration);
  void count_auth_failure();

  struct Text {
    std::string body;
    std::size_t series = 0;
  };
  // `last_duration`: of the exposition before this one; `series_before`: already in this one.
  [[nodiscard]] Text render(std::chrono::nanoseconds last_duration,
                            std::size_t series_before) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyherd::metrics
