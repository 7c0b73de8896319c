#pragma once

// One child process, run to its end: argv without a shell, input on stdin, output capped, a
// deadline, its own process group (killed whole at the deadline), no inherited descriptors, and an
// environment of PATH, HOME, LANG and TZ plus what the caller adds. Blocks the calling thread.

#include <chrono>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace keyherd {

struct SubprocessRequest {
  std::vector<std::string> argv;  // argv[0]: an absolute path, or looked up in PATH
  std::string input;              // wiped by the caller if it is secret
  std::map<std::string, std::string> environment;
  std::chrono::milliseconds timeout{10'000};
  std::size_t max_output_bytes = 65'536;
};

struct SubprocessResult {
  int exit_code = 0;   // 128 + signal when killed by one
  std::string output;  // stdout, at most max_output_bytes
  std::string error_output;
  bool output_truncated = false;
};

// Errors: not_found or denied when it cannot be started, timeout, cancelled. A non-zero exit code
// is not an error here.
Result<SubprocessResult> run_subprocess(const SubprocessRequest& request, std::stop_token stop);

}  // namespace keyherd
