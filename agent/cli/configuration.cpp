#include "cli/configuration.hpp"

#include <nlohmann/json.hpp>
#include <ostream>

#include "base/json.hpp"
#include "cli/keyring_access.hpp"
#include "config/secrets.hpp"
#include "usage/format.hpp"
#include "usage/presets.hpp"

namespace keyherd::cli {

Result<std::string> find_config(const Context& context) {
  if (context.config_path)
    return *context.config_path;
  if (auto named = context.environment.get("KEYHERD_CONFIG"); named && !named->empty())
    return *named;
  for (const char* path : {"keyherd.toml", "/etc/keyherd/keyherd.toml"}) {
    if (context.files.stat(path))
      return std::string(path);
  }
  return fail(ErrorCode::not_found,
              "no configuration: neither --config nor $KEYHERD_CONFIG is set, and there is no "
              "./keyherd.toml and no /etc/keyherd/keyherd.toml; write one with: keyherd init");
}

config::LoadOptions load_options() {
  return config::LoadOptions{usage::format_names(), usage::check_format};
}

std::optional<config::Config> load_or_report(Context& context, bool show_warnings) {
  const auto path = find_config(context);
  if (!path) {
    report(context, path.error());
    return std::nullopt;
  }
  config::LoadResult loaded = config::load_config(*path, context.files, load_options());
  if (show_warnings) {
    for (const config::Problem& problem : loaded.warnings)
      context.err << "warning: " << config::to_string(problem) << "\n";
  }
  if (!loaded.errors.empty() && context.json) {
    nlohmann::json problems = nlohmann::json::array();
    for (const config::Problem& problem : loaded.errors)
      problems.push_back({{"file", problem.file},
                          {"line", problem.line},
                          {"column", problem.column},
                          {"key", problem.key},
                          {"message", problem.message}});
    context.out << dump_json({{"error",
                               {{"code", "invalid"},
                                {"message", config::to_string(loaded.errors.front())},
                                {"problems", problems}}}})
                << "\n";
    return std::nullopt;
  }
  for (const config::Problem& problem : loaded.errors)
    context.err << config::to_string(problem) << "\n";
  if (loaded.config)
    context.keyring = keyring_reader(context, *loaded.config);
  return std::move(loaded.config);
}

Result<Secret> any_secret(Context& context, const model::SecretRef& reference) {
  auto secret = config::resolve_secret(
      reference, {context.environment, context.files, std::chrono::seconds(10), context.keyring});
  if (secret)
    context.redactor.add(*secret);
  return secret;
}

Result<Secret> key_secret(Context& context, const model::SecretRef& reference) {
  KH_ASSIGN(Secret secret, any_secret(context, reference));
  KH_TRY(config::check_secret_value(secret));
  return secret;
}

}  // namespace keyherd::cli
