#pragma once

// The head of a request: request line and headers, read strictly (RFC 9112). What two readers could
// understand differently is refused, not guessed: that is what request smuggling lives on. Pure.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace keyherd::net {

// Why a request is answered by the server itself. The texts are constants.
struct Refusal {
  int status = 400;
  std::string_view code = "bad_request";
  std::string_view message;
};

template <class T>
using OrRefusal = tl::expected<T, Refusal>;
inline tl::unexpected<Refusal> refuse(int status, std::string_view code, std::string_view message) {
  return tl::unexpected<Refusal>(Refusal{status, code, message});
}

struct RequestHead {
  std::string method;
  std::string target;
  std::multimap<std::string, std::string> headers;  // names in lower case, values as sent
  bool is_http_1_0 = false;
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  std::optional<std::uint64_t> content_length;

  [[nodiscard]] bool has_body() const { return chunked || content_length.value_or(0) > 0; }
};

// text: every line of the head with its CRLF, without the empty line that ends it.
OrRefusal<RequestHead> parse_head(std::string_view text);

}  // namespace keyherd::net
