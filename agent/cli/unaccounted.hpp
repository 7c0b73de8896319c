#pragma once

// `keyherd usage --unaccounted`: what balances lost that no log explains.

#include <string>

#include "cli/context.hpp"

namespace keyherd::cli {

// `from` and `to` as the agent reads them; empty: its last 24 hours. Returns the exit code: bad
// news when something is unaccounted for.
int show_unaccounted(Context& context, const std::string& from, const std::string& to);

}  // namespace keyherd::cli
