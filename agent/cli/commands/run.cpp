#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include <spdlog/logger.h>

#include "base/memory.hpp"
#include "cli/build_info.hpp"
#include "cli/command.hpp"
#include "cli/configuration.hpp"
#include "cli/service_manager.hpp"
#include "engine/agent.hpp"

namespace keyherd::cli {

namespace {

// The signals that the main thread waits for; blocked before any other thread exists, so that no
// thread is interrupted by them.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP})
      sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  // The next signal; nothing when none came within that time.
  std::optional<int> wait(std::optional<std::chrono::microseconds> longest) const {
    using namespace std::chrono;
    const auto seconds = duration_cast<std::chrono::seconds>(longest.value_or(microseconds(0)));
    const timespec time{seconds.count(),
                        nanoseconds(longest.value_or(microseconds(0)) - seconds).count()};
    while (true) {
      const int signal =
          longest ? sigtimedwait(&set_, nullptr, &time) : sigwaitinfo(&set_, nullptr);
      if (signal > 0)
        return signal;
      if (errno != EINTR)
        return std::nullopt;
    }
  }
  // From here on a second SIGTERM or SIGINT ends the process at once.
  void release() const { pthread_sigmask(SIG_UNBLOCK, &set_, nullptr); }

 private:
  sigset_t set_{};
};

// Logs, waiting consumers and probes hold a descriptor each. The usual soft limit of 1,024 is there
// for programs that use select(), and this is none; the hard limit is the administrator's.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// Until it is told to stop. The manager hears that the agent is alive as long as its loop answers.
void serve(engine::Agent& agent, const Signals& signals, spdlog::logger& log) {
  const ServiceManager manager;
  std::optional<std::chrono::microseconds> beat;
  if (const auto watchdog = manager.watchdog())
    beat = *watchdog / 4;
  ServiceManager::ready();
  while (true) {
    const auto signal = signals.wait(beat);
    if (!signal) {
      if (agent.answers(*beat))
        ServiceManager::alive();
      else
        log.error("the agent's loop does not answer; its service manager will restart it");
    } else if (*signal == SIGHUP) {
      agent.reload();
    } else {
      break;
    }
  }
  log.info("stopping");
  ServiceManager::stopping();
}

int run(Context& context, bool replace_corrupt_state) {
  const Signals signals;
  raise_descriptor_limit();
  return_large_pieces();
  auto config = load_or_report(context);
  if (!config)
    return kWrongUsage;
  LogCounts counts;
  const auto log =
      make_logger(config->agent.log_format, config->agent.log_level, context.redactor, counts);
  if (!log)
    return report(context, log.error(), kWrongUsage);
  engine::AgentOptions options{context.environment,
                               context.files,
                               context.clock,
                               context.redactor,
                               counts,
                               **log,
                               {kVersion, kCommit, kCompiler},
                               load_options(),
                               config->file,
                               replace_corrupt_state};
  auto agent = engine::start_agent(options, std::move(*config));
  if (!agent)
    return report(context, agent.error(), kWrongUsage);
  serve(**agent, signals, **log);
  signals.release();
  (*agent)->stop();
  return kFine;
}

}  // namespace

Action define_run(CLI::App& app) {
  auto replace = std::make_shared<bool>(false);
  app.add_flag("--replace-corrupt-state", *replace,
               "move a damaged state file aside and begin with a new one");
  return [replace](Context& context) { return run(context, *replace); };
}

}  // namespace keyherd::cli
