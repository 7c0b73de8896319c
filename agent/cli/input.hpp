#pragma once

// What a command reads besides its configuration.

#include <cstddef>
#include <span>
#include <string>

#include "cli/context.hpp"

namespace keyherd::cli {

// At least one byte; 0 at the end.
Result<std::size_t> read_stdin(std::span<char> buffer);

// A file of at most `most` bytes, or the standard input for "-". Errors: of the file, too_large.
Result<std::string> read_whole(Context& context, const std::string& path, std::size_t most);

// The value of an option as it stands or, as with curl, from @FILE or @-.
Result<std::string> read_argument(Context& context, const std::string& value);

}  // namespace keyherd::cli
