#pragma once

// The command line as a whole: its global options and every command of the table, as CLI11 parses
// it, and as data for what is generated from it (completions, manual pages).

#include <memory>
#include <string>
#include <vector>

#include "cli/command.hpp"

namespace keyherd::cli {

// `chosen` becomes what the parsed command does. Both outlive the app.
std::unique_ptr<CLI::App> make_app(Context& context, Action& chosen);
// Parses and runs; returns the exit code. Mistakes are one line, or one object in JSON mode.
int run_command_line(Context& context, const std::vector<std::string>& arguments);

struct OptionHelp {
  std::string name;      // "--by", or "KEY" for what has no name on the command line
  std::string value;     // "COLUMNS"; empty: it takes none
  std::string text;      // what it does
  std::string fallback;  // what it is when it is not given; empty: not told
  bool positional = false;
  bool required = false;
  bool many = false;  // positional: any number of them
};
struct CommandHelp {
  std::string name;
  std::string summary;
  std::string examples;
  std::vector<OptionHelp> options;
};
// In the order of the table.
std::vector<CommandHelp> describe_commands();
// Those that every command takes.
std::vector<OptionHelp> describe_global_options();

}  // namespace keyherd::cli
