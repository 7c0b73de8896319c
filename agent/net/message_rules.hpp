#pragma once

// Which bytes may stand where in an HTTP message (RFC 9110, section 5). Pure functions.

#include <string>
#include <string_view>

namespace keyherd::net {

// A byte below space, or DEL.
bool is_control(char c);
// A method or a header name: one or more token characters.
bool is_token(std::string_view text);
// A header value as others may send it: no control characters but tab.
bool is_field_value(std::string_view text);
// A header value as we send it: printable ASCII, not starting or ending with a space.
bool is_plain_value(std::string_view text);
// A credential: one or more visible ASCII characters, no space.
bool is_credential(std::string_view text);
// Every byte is visible ASCII: a request target or a URL.
bool is_visible_ascii(std::string_view text);

// Control characters become spaces, so that a value can never start a line of its own.
std::string without_controls(std::string_view value);

// Whether a comma-separated header value (Connection, Transfer-Encoding) names this option.
bool has_option(std::string_view value, std::string_view option);

}  // namespace keyherd::net
