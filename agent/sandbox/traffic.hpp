#pragma once

// Synthetic clients for the demo: each reads which key its pool's published file names, calls the
// provider with it and writes the outcome into a usage log in the native format, as a team's own
// services would.

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "net/transport.hpp"

namespace keyherd::sandbox {

struct TrafficClient {
  std::string pool_file;  // published JSON: {"pool","key","secret",…}
  std::string base_url;   // requests go to base_url + "/chat/completions"
  std::string model = "deepseek-flash";
};

struct TrafficOptions {
  std::string log_path;
  std::uint64_t rotate_bytes = 0;  // renamed to <log_path>.1 beyond this size; 0: never
  double requests_per_second = 5;  // of all clients together
  std::chrono::milliseconds timeout{5'000};
  std::vector<TrafficClient> clients;
};

struct TrafficCounts {
  std::int64_t requests = 0;
  std::int64_t failed = 0;   // answered with other than 2xx, or not at all
  std::int64_t skipped = 0;  // no published key yet
};

// One owner, one thread.
class Traffic {
 public:
  // All outlive this object.
  Traffic(TrafficOptions options, net::Transport& transport, const FileSystem& files,
          const Clock& clock, Random& random);

  // One request of the next client in turn, and its line in the log. Errors: only of the log file;
  // a provider that fails is a line like any other.
  Status step(std::stop_token stop);

  // step() at the configured rate until stopped. Ends early only with an error of step().
  Status run(std::stop_token stop);

  [[nodiscard]] const TrafficCounts& counts() const { return counts_; }

 private:
  Status append(const std::string& line) const;

  TrafficOptions options_;
  net::Transport& transport_;
  const FileSystem& files_;
  const Clock& clock_;
  Random& random_;
  TrafficCounts counts_;
  std::size_t next_client_ = 0;
};

}  // namespace keyherd::sandbox
