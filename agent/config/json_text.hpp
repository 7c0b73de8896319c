#pragma once

// JSON to nodes, for keys in bulk. Unlike a plain parse it keeps lines and sees names given twice.

#include <optional>
#include <string_view>

#include "config/node.hpp"
#include "config/report.hpp"

namespace keyherd::config {

// The document. A syntax error, or nesting beyond 32, is reported (the first one) and gives
// nothing. A member's value stands where its name stands.
std::optional<Node> parse_json_text(std::string_view text, std::size_t file, Report& report);

}  // namespace keyherd::config
