// keyherd: the process around one command.

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "base/threads.hpp"
#include "cli/app.hpp"
#include "cli/context.hpp"

namespace {

using namespace keyherd;

// Nothing of this process may reach a core file or a file that others can read.
void harden() {
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
}

// 0 where stdout is no terminal: nothing is cut for programs.
std::size_t terminal_columns() {
  winsize size{};
  return ::isatty(STDOUT_FILENO) != 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0
             ? size.ws_col
             : 0;
}

bool wants_colour(const Environment& environment) {
  const auto no_colour = environment.get("NO_COLOR");
  return ::isatty(STDOUT_FILENO) != 0 && (!no_colour || no_colour->empty()) &&
         environment.get("TERM").value_or("") != "dumb";
}

// Whoever redirected the output must hear that it is not whole. Whoever closed the pipe knows.
int close_output(int code) {
  std::cout.flush();
  pollfd output{STDOUT_FILENO, 0, 0};
  if (std::cout || (::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0))
    return code;
  std::cerr << "keyherd: writing the output: it is not whole\n";
  return cli::kWrongUsage;
}

}  // namespace

int main(int argc, char** argv) {
  harden();
  tell_of_uncaught_exceptions();
  const ProcessEnvironment environment;
  const auto files = make_posix_file_system();
  const SystemClock clock;
  Redactor redactor;
  cli::Context context{std::cout,
                       std::cerr,
                       environment,
                       *files,
                       clock,
                       redactor,
                       false,
                       wants_colour(environment),
                       std::nullopt,
                       ::isatty(STDOUT_FILENO) != 0,
                       ::isatty(STDERR_FILENO) != 0,
                       terminal_columns(),
                       {}};

  try {
    return close_output(cli::run_command_line(context, {argv + 1, argv + argc}));
  } catch (const std::exception&) {
    // What it says may quote a secret or an input; the place is in the log.
    return cli::report(context, Error{ErrorCode::internal, "an internal error ended this command"});
  }
}
