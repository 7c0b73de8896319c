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

// What only shows when the parts look at the configuration: probe settings that cannot work, and
// secrets that are not there, which is a warning.
struct Findings {
  std::vector<std::string> problems;
  std::vector<std::string> warnings;
};

Findings check_parts(Context& context, const config::Config& config) {
  Findings findings;
  for (const model::Provider& provider : config.providers) {
    if (auto usable = probe::check_provider(provider); !usable)
      findings.problems.push_back(usable.error().message);
  }
  for (const model::Key& key : config.keys) {
    if (auto secret = key_secret(context, key.secret); !secret)
      findings.warnings.push_back("keys." + key.id + ".secret: " + secret.error().message);
  }
  return findings;
}

int tell_problems(Context& context, const Findings& findings) {
  if (!context.json) {
    for (const std::string& problem : findings.problems)
      report(context, Error{ErrorCode::invalid, problem});
    return kWrongUsage;
  }
  nlohmann::json problems = nlohmann::json::array();
  for (const std::string& problem : findings.problems)
    problems.push_back({{"message", problem}});
  context.out << dump_json({{"error",
                             {{"code", "invalid"},
                              {"message", findings.problems.front()},
                              {"problems", problems}}}})
              << "\n";
  return kWrongUsage;
}

void tell_fine(Context& context, const config::Config& config, const Findings& findings) {
  if (context.json) {
    context.out << dump_json({{"file", config.file},
                              {"providers", config.providers.size()},
                              {"keys", config.keys.size()},
                              {"pools", config.pools.size()},
                              {"quotas", config.quotas.size()},
                              {"usage_logs", config.usage_logs.size()},
                              {"warnings", findings.warnings}})
                << "\n";
    return;
  }
  context.out << config.file << ": fine (" << count_of(config.providers.size(), "provider") << ", "
              << count_of(config.keys.size(), "key") << ", "
              << count_of(config.pools.size(), "pool") << ", "
              << count_of(config.quotas.size(), "quota") << ", "
              << count_of(config.usage_logs.size(), "usage log") << ")\n";
}

}  // namespace

Action define_check(CLI::App& app) {
  auto probe = std::make_shared<bool>(false);
  app.add_flag("--probe", *probe, "also validate every key once");
  return [probe](Context& context) {
    const auto config = load_or_report(context, true);
    if (!config)
      return kWrongUsage;
    const Findings findings = check_parts(context, *config);
    if (!context.json) {
      for (const std::string& warning : findings.warnings)
        context.err << "warning: " << warning << "\n";
    }
    if (!findings.problems.empty())
      return tell_problems(context, findings);
    if (*probe)
      return probe_and_print(context, *config, {});
    tell_fine(context, *config, findings);
    return kFine;
  };
}

}  // namespace keyherd::cli
