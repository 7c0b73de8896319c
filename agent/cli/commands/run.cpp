#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include <spdlog/logger.h>

#include "cli/build_info.hpp"
#include "cli/command.hpp"
#include "cli/configuration.hpp"
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
  int wait() const {
    int signal = 0;
    sigwait(&set_, &signal);
    return signal;
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

int run(Context& context, bool replace_corrupt_state) {
  const Signals signals;
  raise_descriptor_limit();
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
  while (signals.wait() == SIGHUP)
    (*agent)->reload();
  (*log)->info("stopping");
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
