// keyherd: parses the command line and runs one command of the table.

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <iostream>

#include "cli/command.hpp"
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

bool wants_colour(const Environment& environment) {
  const auto no_colour = environment.get("NO_COLOR");
  return ::isatty(STDOUT_FILENO) != 0 && (!no_colour || no_colour->empty());
}

int usage_error(cli::Context& context, CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0)  // --help and the like
    return app.exit(error, context.out, context.err);
  return cli::report(
      context, Error{ErrorCode::invalid, std::string(error.what()) + "; see: keyherd --help"});
}

}  // namespace

int main(int argc, char** argv) {
  harden();
  const ProcessEnvironment environment;
  const auto files = make_posix_file_system();
  const SystemClock clock;
  Redactor redactor;
  cli::Context context{std::cout,    std::cerr, environment, *files,
                       clock,        redactor,  false,       wants_colour(environment),
                       std::nullopt, {}};

  CLI::App app("Watches, accounts for and rotates a herd of LLM API keys.", "keyherd");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--config", context.config_path, "configuration file")->type_name("FILE");
  app.add_flag("--json", context.json, "answer in JSON");
  cli::Action chosen;
  for (const cli::Command& command : cli::command_table()) {
    CLI::App* sub = app.add_subcommand(std::string(command.name), std::string(command.summary));
    sub->footer("Examples:\n" + std::string(command.examples));
    cli::Action action = command.define(*sub);
    sub->callback([&chosen, action] { chosen = action; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // The flags that decide how to say it may stand after the mistake.
    for (int i = 1; i < argc; ++i)
      context.json = context.json || std::string_view(argv[i]) == "--json";
    return usage_error(context, app, error);
  }
  try {
    return chosen(context);
  } catch (const std::exception&) {
    // What it says may quote a secret or an input; the place is in the log.
    return cli::report(context, Error{ErrorCode::internal, "an internal error ended this command"});
  }
}
