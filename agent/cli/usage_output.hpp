#pragma once

// Lines of usage for people and programs, and back from the agent's answer.

#include <string>
#include <string_view>
#include <vector>

#include "api/usage_report.hpp"
#include "cli/context.hpp"

namespace keyherd::cli {

enum class UsageStyle { as_table, as_json, as_csv };

// The table ends with a line of totals when it has more than one line.
void print_usage(Context& context, const std::vector<api::UsageLine>& lines,
                 const std::vector<api::UsageTerm>& by, UsageStyle style);

// What GET /api/v1/usage answered; money from its decimal digits, never through floating point.
// Error: corrupt, when it has another shape.
Result<std::vector<api::UsageLine>> parse_usage_answer(std::string_view body,
                                                       const std::vector<api::UsageTerm>& by);

}  // namespace keyherd::cli
