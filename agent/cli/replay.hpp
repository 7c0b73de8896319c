#pragma once

// A usage log as a workload: what was asked for, when, and which keys were refused meanwhile.

#include <string>
#include <vector>

#include "cli/context.hpp"
#include "cli/simulation.hpp"
#include "cli/usage_files.hpp"

namespace keyherd::cli {

// The keys are those that the log names, with the quotas of the configuration, if there is one, or
// `quota` tokens each (0: none). A key counts as refusing from a line with 401, 402 or 429 until
// its next successful one; 5xx are the provider's, whatever the key. Lines without a latency take
// as long as those with one on average. Errors: of the file; not_found when no line counts;
// too_large for more than a million lines.
Result<Workload> replay_of(Context& context, const std::string& file, const std::string& format,
                           const OfflineNames& names, std::int64_t quota);

}  // namespace keyherd::cli
