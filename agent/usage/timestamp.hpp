#pragma once

// RFC 3339 to nanoseconds since the epoch, by position, because it is done once a line. Accepts
// exactly what keyherd::parse_rfc3339 accepts.

#include <cstdint>
#include <optional>
#include <string_view>

namespace keyherd::usage {

std::optional<std::int64_t> parse_timestamp(std::string_view text);

}  // namespace keyherd::usage
