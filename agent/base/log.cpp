#include "base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <unistd.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"

namespace keyherd {

namespace {

std::string_view name_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warning";
    case spdlog::level::err:
    case spdlog::level::critical:
      return "error";
    case spdlog::level::off:
    case spdlog::level::n_levels:
      break;
  }
  return "off";
}

std::atomic<std::uint64_t>& counter_of(LogCounts& counts, spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::trace:
    case spdlog::level::debug:
      return counts.debug;
    case spdlog::level::info:
      return counts.info;
    case spdlog::level::warn:
      return counts.warning;
    case spdlog::level::err:
    case spdlog::level::critical:
    case spdlog::level::off:
    case spdlog::level::n_levels:
      break;
  }
  return counts.error;
}

constexpr std::size_t kLongestLine = 4'096;

// One write(2) a line to stderr; a full disk or a closed pipe costs the line, never the program.
class StderrSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  StderrSink(LogFormat format, const Redactor& redactor, LogCounts& counts)
      : format_(format), redactor_(redactor), counts_(counts) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    counter_of(counts_, message.level).fetch_add(1, std::memory_order_relaxed);
    const std::string_view payload(message.payload.data(), message.payload.size());
    const std::string text = printable(redactor_.redact(payload), kLongestLine);
    const std::string line = render(message, text) + "\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
  }
  void flush_() override {}

 private:
  std::string render(const spdlog::details::log_msg& message, const std::string& text) const {
    const std::string time =
        format_event_time(std::chrono::time_point_cast<WallTime::duration>(message.time));
    if (format_ == LogFormat::json)
      return dump_json({{"ts", time}, {"level", name_of(message.level)}, {"message", text}});
    return time + " " + std::string(name_of(message.level)) + ": " + text;
  }

  LogFormat format_;
  const Redactor& redactor_;
  LogCounts& counts_;
};

std::optional<spdlog::level::level_enum> level_of(std::string_view name) {
  if (name == "debug")
    return spdlog::level::debug;
  if (name == "info")
    return spdlog::level::info;
  if (name == "warning")
    return spdlog::level::warn;
  if (name == "error")
    return spdlog::level::err;
  return std::nullopt;
}

}  // namespace

Result<std::shared_ptr<spdlog::logger>> make_logger(LogFormat format, std::string_view level,
                                                    const Redactor& redactor, LogCounts& counts) {
  const auto threshold = level_of(level);
  if (!threshold)
    return fail(ErrorCode::invalid, "unknown log level '" + printable(level, 20) +
                                        "'; use debug, info, warning or error");
  auto logger = std::make_shared<spdlog::logger>(
      "keyherd", std::make_shared<StderrSink>(format, redactor, counts));
  logger->set_level(*threshold);
  return logger;
}

std::shared_ptr<spdlog::logger> make_null_logger() {
  return std::make_shared<spdlog::logger>("null", std::make_shared<spdlog::sinks::null_sink_mt>());
}

}  // namespace keyherd
