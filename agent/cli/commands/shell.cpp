// Commands that tell about the command line itself: completion scripts and manual pages.

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/completion.hpp"
#include "cli/configuration.hpp"
#include "cli/manual.hpp"

namespace keyherd::cli {

namespace {

// What a completion script asks while somebody types: ids, a line each; silent without any.
int print_ids(Context& context, bool keys) {
  const auto path = find_config(context);
  const auto loaded =
      path ? config::load_config(*path, context.files, load_options()) : config::LoadResult{};
  if (!loaded.config)
    return kFine;
  if (keys) {
    for (const model::Key& key : loaded.config->keys)
      context.out << key.id << "\n";
  } else {
    for (const model::Pool& pool : loaded.config->pools)
      context.out << pool.id << "\n";
  }
  return kFine;
}

int print_text(Context& context, const std::string& name, const std::string& text) {
  if (context.json)
    context.out << dump_json({{name, text}}) << "\n";
  else
    context.out << text;
  return kFine;
}

int write_pages(Context& context, const std::string& directory) {
  for (const ManualPage& page : manual_pages()) {
    const std::string path = resolve_path(directory, page.file);
    if (auto written = context.files.write_atomic(path, page.text, {0644, false}); !written)
      return report(context, written.error(), kWrongUsage);
    if (!context.json)
      context.out << path << "\n";
  }
  if (context.json)
    context.out << dump_json({{"directory", directory}}) << "\n";
  return kFine;
}

int print_page(Context& context, const std::string& command) {
  const std::string file = command.empty() ? "keyherd.1" : "keyherd-" + command + ".1";
  for (const ManualPage& page : manual_pages()) {
    if (page.file == file)
      return print_text(context, "page", page.text);
  }
  return report(context, Error{ErrorCode::not_found, "no command '" + printable(command, 40) + "'"},
                kWrongUsage);
}

}  // namespace

Action define_completion(CLI::App& app) {
  auto what = std::make_shared<std::string>();
  app.add_option("SHELL", *what, "bash, zsh or fish")->required();
  return [what](Context& context) {
    if (*what == "keys" || *what == "pools")
      return print_ids(context, *what == "keys");
    const auto shell = shell_from_string(*what);
    if (!shell)
      return report(context,
                    Error{ErrorCode::invalid, "no completion for '" + printable(*what, 40) +
                                                  "'; there is one for bash, zsh and fish"});
    return print_text(context, "script", completion_script(*shell));
  };
}

Action define_man(CLI::App& app) {
  auto command = std::make_shared<std::string>();
  auto directory = std::make_shared<std::string>();
  app.add_option("COMMAND", *command, "its page; the overview when none is named");
  app.add_option("--directory", *directory, "write all pages there instead")->type_name("DIR");
  return [command, directory](Context& context) {
    return directory->empty() ? print_page(context, *command) : write_pages(context, *directory);
  };
}

}  // namespace keyherd::cli
