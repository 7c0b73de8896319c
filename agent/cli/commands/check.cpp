#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "cli/command.hpp"
#include "cli/configuration.hpp"
#include "cli/one_shot_probe.hpp"
#include "probe/provider_type.hpp"

namespace keyherd::cli {

namespace {

std::string count_of(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// What only shows when the parts look at the configuration: probe settings that cannot work,
// secrets that are not there.
int check_parts(Context& context, const config::Config& config) {
  int problems = 0;
  for (const model::Provider& provider : config.providers) {
    if (auto usable = probe::check_provider(provider); !usable) {
      report(context, usable.error(), kWrongUsage);
      ++problems;
    }
  }
  for (const model::Key& key : config.keys) {
    if (auto secret = key_secret(context, key.secret); !secret)
      context.err << "warning: keys." << key.id << ".secret: " << secret.error().message << "\n";
  }
  return problems;
}

}  // namespace

Action define_check(CLI::App& app) {
  auto probe = std::make_shared<bool>(false);
  app.add_flag("--probe", *probe, "also validate every key once");
  return [probe](Context& context) {
    const auto config = load_or_report(context, true);
    if (!config || check_parts(context, *config) > 0)
      return kWrongUsage;
    if (*probe)
      return probe_and_print(context, *config, {});
    if (context.json)
      context.out << dump_json({{"file", config->file},
                                {"providers", config->providers.size()},
                                {"keys", config->keys.size()},
                                {"pools", config->pools.size()},
                                {"quotas", config->quotas.size()},
                                {"usage_logs", config->usage_logs.size()}})
                  << "\n";
    else
      context.out << config->file << ": fine (" << count_of(config->providers.size(), "provider")
                  << ", " << count_of(config->keys.size(), "key") << ", "
                  << count_of(config->pools.size(), "pool") << ", "
                  << count_of(config->quotas.size(), "quota") << ", "
                  << count_of(config->usage_logs.size(), "usage log") << ")\n";
    return kFine;
  };
}

}  // namespace keyherd::cli
