#pragma once

// The keyring of a configuration's state file, for commands that run without an agent.

#include <functional>
#include <memory>
#include <string>

#include "cli/context.hpp"
#include "config/config.hpp"
#include "store/keyring.hpp"
#include "store/store.hpp"

namespace keyherd::cli {

// Resolves the reference and parses what it holds. Errors: those of resolving, and invalid.
Result<store::MasterKey> load_master_key(Context& context, const model::SecretRef& reference);

// agent.master_key of the configuration. Error invalid: there is none.
Result<store::MasterKey> master_key_of(Context& context, const config::Config& config);

// Unseals entries; the state file is opened (for reading) at the first call. Safe to call from any
// thread while the context lives.
std::function<Result<Secret>(const std::string& id)> keyring_reader(Context& context,
                                                                    const config::Config& config);

}  // namespace keyherd::cli
