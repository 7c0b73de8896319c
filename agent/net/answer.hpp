#pragma once

// An answer as bytes: status line and headers. The body follows it on its own, uncopied. Pure.

#include <string>

#include "net/http_head.hpp"
#include "net/server.hpp"

namespace keyherd::net {

enum class Persistence { close, keep_alive, keep_alive_1_0 };
// How the client finds the end of the body: by Content-Length, or because it is not known yet, by
// the last chunk or, for HTTP/1.0, by the end of the connection.
enum class Framing { sized, chunked, until_close };

// Framing headers (Content-Length, Transfer-Encoding, Connection) are written here and nowhere
// else; header names that are none are left out, and control characters in values become spaces.
std::string format_answer_head(const ServerResponse& response, Persistence persistence,
                               Framing framing = Framing::sized);

// 204 and 304 have no body, whatever the handler says.
bool has_body(int status);

// The body of a refusal when the owner of the server gave no error_body: {"error":{…}}.
ServerResponse default_error(int status, std::string_view code, std::string_view message);

}  // namespace keyherd::net
