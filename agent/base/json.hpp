#pragma once

// JSON from outside: parsed with a cap on depth (nlohmann's dump and copy recurse and crash on deep
// input) and without ever quoting the input in an error. JSON to outside: never throws on bad
// UTF-8.

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace keyherd {

// Error: "not JSON at byte N" or "nested deeper than N", never the text itself.
Result<nlohmann::json> parse_json(std::string_view text, std::size_t max_depth = 64);

// Compact, invalid UTF-8 replaced; pretty with an indent of two spaces.
std::string dump_json(const nlohmann::json& value);
std::string dump_json_pretty(const nlohmann::json& value);

}  // namespace keyherd
