#pragma once

// The reference part of docs/configuration.md, made from the schema so that it cannot fall behind.

#include <string>

namespace keyherd::config {

// Markdown from the heading "## Reference" on, one table a section.
std::string config_reference_markdown();

}  // namespace keyherd::config
