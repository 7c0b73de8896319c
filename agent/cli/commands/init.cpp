#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "cli/command.hpp"
#include "config/init.hpp"

namespace keyherd::cli {

Action define_init(CLI::App& app) {
  auto output = std::make_shared<std::string>("keyherd.toml");
  auto force = std::make_shared<bool>(false);
  app.add_option("--output", *output, "where to write")->type_name("FILE");
  app.add_flag("--force", *force, "replace a file that is there");
  return [output, force](Context& context) {
    if (context.files.stat(*output) && !*force)
      return report(context, Error{ErrorCode::conflict, *output + " exists; --force replaces it"},
                    kWrongUsage);
    const std::string text = config::make_initial_config(context.environment);
    if (auto written = context.files.write_atomic(*output, text, {0600, true}); !written)
      return report(context, written.error(), kWrongUsage);
    if (context.json)
      context.out << dump_json({{"file", *output}}) << "\n";
    else
      context.out << "wrote " << *output << "; next: keyherd check --probe --config " << *output
                  << "\n";
    return kFine;
  };
}

}  // namespace keyherd::cli
