#pragma once

// Small text tools that several folders need.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keyherd {

std::string_view trim(std::string_view text);
bool equals_ignore_case(std::string_view a, std::string_view b);
bool contains_ignore_case(std::string_view text, std::string_view part);
std::string to_lower(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);

// Valid UTF-8 (bad bytes become U+FFFD), control characters become spaces, at most max_bytes with
// "…" where it was cut: fit for labels, logs and error messages.
std::string printable(std::string_view text, std::size_t max_bytes);
bool is_valid_utf8(std::string_view text);

// Decimal digits only, no sign, no overflow.
std::optional<std::int64_t> parse_int(std::string_view digits);

// The candidate nearest to word by edit distance, if it is near enough to be a slip of the fingers.
std::optional<std::string> nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

// Percent-encodes everything but unreserved characters.
std::string url_encode(std::string_view text);
std::string base64(std::string_view bytes);

}  // namespace keyherd
