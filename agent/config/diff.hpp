#pragma once

// What a reload changed, for the log and the audit.

#include <string>
#include <vector>

#include "config/config.hpp"

namespace keyherd::config {

// One line a change, sorted by section and id: "keys.a: added", "keys.b: removed",
// "pools.prod.schedule: changed". Values are not shown. Empty when nothing changed.
std::vector<std::string> describe_changes(const Config& before, const Config& after);

// The first setting that only a restart changes, of those that differ; empty: none does.
std::string needs_restart(const AgentSettings& before, const AgentSettings& after);

}  // namespace keyherd::config
