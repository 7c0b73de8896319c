#pragma once

// Completion scripts for shells, made from the table of commands. Pure functions.

#include <optional>
#include <string>
#include <string_view>

namespace keyherd::cli {

enum class Shell { bash, zsh, fish };
std::optional<Shell> shell_from_string(std::string_view name);

// Keys and pools are completed by asking `keyherd completion keys|pools`.
std::string completion_script(Shell shell);

}  // namespace keyherd::cli
