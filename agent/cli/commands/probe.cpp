#include <CLI/CLI.hpp>
#include <memory>

#include "cli/command.hpp"
#include "cli/configuration.hpp"
#include "cli/one_shot_probe.hpp"

namespace keyherd::cli {

Action define_probe(CLI::App& app) {
  auto keys = std::make_shared<std::vector<std::string>>();
  app.add_option("KEY", *keys, "keys to probe; all when none is named");
  return [keys](Context& context) {
    const auto config = load_or_report(context);
    return config ? probe_and_print(context, *config, *keys) : kWrongUsage;
  };
}

}  // namespace keyherd::cli
