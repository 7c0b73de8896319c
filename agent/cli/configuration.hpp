#pragma once

// The configuration of a command: found by the documented rule, loaded, its problems told.

#include <optional>
#include <string>

#include "base/secret.hpp"
#include "cli/context.hpp"
#include "config/config.hpp"
#include "config/load.hpp"

namespace keyherd::cli {

// --config, else $KEYHERD_CONFIG, else ./keyherd.toml, else /etc/keyherd/keyherd.toml. Error
// not_found when none is there, with what to do.
Result<std::string> find_config(const Context& context);

// Prints every problem ("file:line:col: key: problem") and returns nothing if there is an error.
// Warnings are printed only by `check`.
std::optional<config::Config> load_or_report(Context& context, bool show_warnings = false);

// The formats and limits that loading depends on, the same for all commands and the agent.
config::LoadOptions load_options();

// Resolves a key's secret and checks its shape; known to the redactor from then on.
Result<Secret> key_secret(Context& context, const model::SecretRef& reference);
// The same of what is no API key: any text.
Result<Secret> any_secret(Context& context, const model::SecretRef& reference);

}  // namespace keyherd::cli
