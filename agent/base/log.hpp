#pragma once

// The program's log: one spdlog logger, made in main and passed by reference. Every line passes the
// Redactor. Logging never blocks on a full disk and never throws; what could not be written is
// counted.

#include <spdlog/fwd.h>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/redactor.hpp"
#include "base/result.hpp"

namespace keyherd {

enum class LogFormat { text, json };

struct LogCounts {
  std::atomic<std::uint64_t> debug{0};
  std::atomic<std::uint64_t> info{0};
  std::atomic<std::uint64_t> warning{0};
  std::atomic<std::uint64_t> error{0};
};

// A logger to stderr. `counts` and `redactor` outlive it. Level: debug, info, warning, error.
Result<std::shared_ptr<spdlog::logger>> make_logger(LogFormat format, std::string_view level,
                                                    const Redactor& redactor, LogCounts& counts);

// A logger that drops everything: the default for tests and one-shot commands.
std::shared_ptr<spdlog::logger> make_null_logger();

}  // namespace keyherd
