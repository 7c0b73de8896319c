#pragma once

// TOML to nodes; toml_text.cpp is the only user of toml++.

#include <optional>
#include <string_view>

#include "config/node.hpp"
#include "config/report.hpp"

namespace keyherd::config {

// The document as a table. A syntax error is reported (TOML stops at the first) and gives nothing.
std::optional<Node> parse_toml(std::string_view text, std::size_t file, Report& report);

}  // namespace keyherd::config
