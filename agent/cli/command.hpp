#pragma once

// The commands, one table: what --help lists and what main dispatches on.

#include <functional>
#include <string_view>
#include <vector>

#include "cli/context.hpp"

namespace CLI {
class App;
}

namespace keyherd::cli {

// What a command does once its arguments are parsed; returns the exit code.
using Action = std::function<int(Context&)>;

struct Command {
  std::string_view name;
  std::string_view summary;
  std::string_view examples;  // lines, shown at the end of its help
  // Declares the options on the sub-command and says what to run with them.
  Action (*define)(CLI::App&);
};

// In the order in which help shows them.
const std::vector<Command>& command_table();

Action define_audit(CLI::App& app);
Action define_call(CLI::App& app);
Action define_check(CLI::App& app);
Action define_completion(CLI::App& app);
Action define_drill(CLI::App& app);
Action define_explain(CLI::App& app);
Action define_export(CLI::App& app);
Action define_healthcheck(CLI::App& app);
Action define_history(CLI::App& app);
Action define_import(CLI::App& app);
Action define_init(CLI::App& app);
Action define_keyring(CLI::App& app);
Action define_man(CLI::App& app);
Action define_pause(CLI::App& app);
Action define_probe(CLI::App& app);
Action define_resume(CLI::App& app);
Action define_rotate(CLI::App& app);
Action define_freeze(CLI::App& app);
Action define_unfreeze(CLI::App& app);
Action define_rules(CLI::App& app);
Action define_run(CLI::App& app);
Action define_sandbox(CLI::App& app);
Action define_schedule(CLI::App& app);
Action define_simulate(CLI::App& app);
Action define_status(CLI::App& app);
Action define_timeline(CLI::App& app);
Action define_usage(CLI::App& app);
Action define_version(CLI::App& app);

}  // namespace keyherd::cli
