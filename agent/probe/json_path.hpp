#pragma once

// Walking JSON that someone else wrote: every step may be missing or of another type, and nothing
// throws. For .cpp files of this folder that include nlohmann themselves.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace keyherd::probe {

// The value at a JSON Pointer ("/choices/0/error"; no escapes), or null.
const nlohmann::json* find(const nlohmann::json& value, std::string_view pointer);

// A string as it is, an integer in decimal digits; nothing for other types.
std::optional<std::string> as_text(const nlohmann::json* value);

// A JSON integer from 0 to 2⁶³-1; nothing for fractions, negative numbers and other types.
std::optional<std::int64_t> as_count(const nlohmann::json* value);

// A decimal as a JSON number or a string, with or without a minus sign, in 10⁻⁹.
std::optional<std::int64_t> as_nanos(const nlohmann::json* value);

std::optional<bool> as_bool(const nlohmann::json* value);

}  // namespace keyherd::probe
