#pragma once

// Probing without an agent: what `probe` and `check --probe` share.

#include <string>
#include <vector>

#include "cli/context.hpp"
#include "config/config.hpp"

namespace keyherd::cli {

// Probes the named keys (all when empty), a few at a time, and prints a table or the JSON list.
// Each provider is shown a made-up key first: a probe that accepts it proves nothing and is not
// used. Returns kFine when every verdict is ok, else kBadNews; an unknown key is kWrongUsage.
int probe_and_print(Context& context, const config::Config& config,
                    const std::vector<std::string>& keys);

}  // namespace keyherd::cli
