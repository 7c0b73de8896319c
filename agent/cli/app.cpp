#include "cli/app.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ostream>

#include "base/text.hpp"
#include "cli/build_info.hpp"

namespace keyherd::cli {

namespace {

void add_global_options(CLI::App& app, std::optional<std::string>& config,
                        std::optional<std::string>& ca_file, bool& as_json) {
  app.add_option("--config", config,
                 "configuration (default: $KEYHERD_CONFIG, ./keyherd.toml, "
                 "/etc/keyherd/keyherd.toml)")
      ->type_name("FILE");
  app.add_option("--ca-file", ca_file,
                 "certificates (PEM) to trust the agent by (default: client.ca_file of the "
                 "configuration)")
      ->type_name("FILE");
  app.add_flag("--json", as_json, "answer in JSON, for programs");
}

OptionHelp describe(const CLI::Option& option) {
  OptionHelp help;
  help.positional = option.get_positional();
  help.name = help.positional ? option.get_name(true)
                              : "--" + (option.get_lnames().empty() ? std::string()
                                                                    : option.get_lnames().front());
  help.text = option.get_description();
  help.fallback = option.get_default_str();
  help.required = option.get_required();
  help.many = help.positional && option.get_items_expected_max() > 1;
  if (option.get_items_expected_max() > 0)
    help.value = help.positional ? help.name : option.get_type_name();
  // Behind a colon CLI11 tells what it checks.
  help.value.erase(std::min(help.value.find(':'), help.value.size()));
  return help;
}

std::vector<OptionHelp> describe_options(const CLI::App& app) {
  std::vector<OptionHelp> options;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_lnames() != std::vector<std::string>{"help"})
      options.push_back(describe(*option));
  }
  return options;
}

// The word in the command's place, if it is none of the table's.
std::optional<std::string> unknown_command(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--config" || arguments[i] == "--ca-file") {
      ++i;
      continue;
    }
    if (arguments[i].starts_with('-'))
      continue;
    const auto& table = command_table();
    const bool known = std::any_of(table.begin(), table.end(), [&](const Command& command) {
      return command.name == arguments[i];
    });
    return known ? std::nullopt : std::optional(arguments[i]);
  }
  return std::nullopt;
}

std::string describe_mistake(const CLI::App& app, const std::vector<std::string>& arguments,
                             const CLI::ParseError& error) {
  if (const auto word = unknown_command(arguments)) {
    std::vector<std::string> names;
    for (const Command& command : command_table())
      names.emplace_back(command.name);
    const auto near = nearest(*word, names);
    return "no command '" + printable(*word, 40) + "'" +
           (near ? "; did you mean '" + *near + "'?" : "; see: keyherd --help");
  }
  const auto parsed = app.get_subcommands();
  if (parsed.empty() && arguments.empty())
    return "a command is needed; see: keyherd --help";
  const std::string command = parsed.empty() ? "" : parsed.front()->get_name() + " ";
  return std::string(error.what()) + "; see: keyherd " + command + "--help";
}

}  // namespace

std::unique_ptr<CLI::App> make_app(Context& context, Action& chosen) {
  auto app = std::make_unique<CLI::App>("Watches, accounts for and rotates a herd of LLM API keys.",
                                        "keyherd");
  app->require_subcommand(1);
  app->fallthrough();
  app->set_version_flag("--version", "keyherd " + std::string(kVersion));
  add_global_options(*app, context.config_path, context.ca_file, context.json);
  app->footer(
      "keyherd COMMAND --help explains one command. Exit codes: 0 fine, 1 the answer is bad "
      "news,\n2 wrong usage or configuration, 3 the agent or a server could not be reached.");
  for (const Command& command : command_table()) {
    CLI::App* sub = app->add_subcommand(std::string(command.name), std::string(command.summary));
    sub->footer("Examples:\n" + std::string(command.examples));
    Action action = command.define(*sub);
    sub->callback([&chosen, action] { chosen = action; });
  }
  return app;
}

int run_command_line(Context& context, const std::vector<std::string>& arguments) {
  Action chosen;
  const auto app = make_app(context, chosen);
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app->parse(reversed);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0)  // --help and the like
      return app->exit(error, context.out, context.err);
    // The flag that decides how to say it may stand after the mistake.
    context.json =
        context.json || std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
    return report(context, Error{ErrorCode::invalid, describe_mistake(*app, arguments, error)});
  }
  return chosen(context);
}

std::vector<CommandHelp> describe_commands() {
  std::vector<CommandHelp> commands;
  for (const Command& command : command_table()) {
    CLI::App app;
    static_cast<void>(command.define(app));
    commands.push_back({std::string(command.name), std::string(command.summary),
                        std::string(command.examples), describe_options(app)});
  }
  return commands;
}

std::vector<OptionHelp> describe_global_options() {
  CLI::App app;
  std::optional<std::string> config;
  std::optional<std::string> ca_file;
  bool as_json = false;
  add_global_options(app, config, ca_file, as_json);
  return describe_options(app);
}

}  // namespace keyherd::cli
