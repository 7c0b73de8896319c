#pragma once

// One HTTP request out, with a total deadline, a cap on the answer, no redirects, checked header
// values and TLS always verified.

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace keyherd::net {

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // http:// (loopback and configured hosts) or https://; never holds a secret
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string content_type = "application/json";  // sent when the body is not empty
  // The credential travels apart, so that nothing that logs a request can log it: sent as header
  // `secret_header` with `secret_prefix` before the value ("Bearer ").
  const Secret* secret = nullptr;  // borrowed for the call
  std::string secret_header = "Authorization";
  std::string secret_prefix = "Bearer ";
  // Further headers whose values are secrets, borrowed like the first.
  std::vector<std::pair<std::string, const Secret*>> secret_headers;
  std::chrono::milliseconds timeout{10'000};  // total: connect, TLS, request and whole answer
  // Of that, at most so long until there is a connection (TLS included), and without a byte of the
  // answer. 0: no limit of its own.
  std::chrono::milliseconds connect_timeout{0};
  std::chrono::milliseconds read_timeout{0};
  std::size_t max_response_bytes = 1U << 20U;
  // If set, it gets the body of a 2xx as it comes, and HttpResponse::body stays empty.
  std::function<void(std::string_view bytes)> on_body;
  std::string ca_file;  // extra CA (PEM) for this host; empty: the system's
};

struct HttpResponse {
  int status = 0;
  std::multimap<std::string, std::string> headers;  // names in lower case; ≤ 64 KiB in all
  std::string body;
  std::chrono::nanoseconds latency{0};

  // The first header of that lower-case name, or "".
  [[nodiscard]] std::string_view header(const std::string& name) const;
};

// How a request failed before an answer was complete: what callers do differs.
//   invalid      the request itself: bad URL, or a header value with control characters
//   unavailable  DNS, refused, reset, TLS (message says which)
//   timeout      the total deadline passed
//   too_large    the answer exceeds the cap
//   cancelled    the stop token
// Redirects are not followed: a 3xx is an answer.
class Transport {
 public:
  virtual ~Transport() = default;
  // Blocks the calling thread, at most a little over request.timeout. Any thread may call;
  // connections are kept and reused per calling thread and host.
  virtual Result<HttpResponse> send(const HttpRequest& request, std::stop_token stop) = 0;
};

struct TransportOptions {
  std::string user_agent = "keyherd";
  // Hashed CA directory: parsing a bundle file costs 43 ms for each connection.
  std::string ca_directory = "/etc/ssl/certs";
  // PEM files: what to show to hosts that ask who is calling; empty: nothing.
  std::string cert_file{};
  std::string key_file{};
};

// What "Authorization: Basic" carries for a user (RFC 7617), to be sent as a request's secret.
Secret basic_credentials(std::string_view user, const Secret& password);

// Whether TLS is why a request failed: a certificate that is not trusted, or a peer that speaks
// something else. A time-out during the handshake is a time-out.
bool is_tls_failure(const Error& error);

std::unique_ptr<Transport> make_http_transport(const TransportOptions& options);

struct UrlParts {
  std::string scheme;  // "http" or "https"
  std::string host;    // without brackets
  int port = 0;
  std::string target;  // path and query, starting with '/'
};
// Error `invalid` for other schemes, user info, spaces, an empty host, a bad port.
Result<UrlParts> parse_url(std::string_view url);
bool is_loopback_host(std::string_view host);

}  // namespace keyherd::net
