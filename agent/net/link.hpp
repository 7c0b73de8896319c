#pragma once

// One connection out, plain or TLS, whose every wait is bounded by a deadline and a stop token:
// that is the whole reason for it. (httplib's client times out per read, so that a byte a second
// holds it for ever; its stop() waits for a handshake; and it knows no cap on headers.) One thread
// at a time.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/fd.hpp"
#include "net/resolver.hpp"
#include "net/tls_context.hpp"
#include "net/transport.hpp"
#include "net/waiting.hpp"

namespace keyherd::net {

class Link {
 public:
  // Connects and, when tls is given, shakes hands and verifies. Errors: unavailable (DNS, refused,
  // reset, TLS), timeout, cancelled.
  static Result<std::unique_ptr<Link>> open(const UrlParts& url, const TlsContext* tls,
                                            Resolver& resolver, const Bounds& bounds);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // At least one byte; 0 at the end of the stream.
  Result<std::size_t> read(std::span<char> buffer, const Bounds& bounds);
  // All of it.
  Status write(std::string_view bytes, const Bounds& bounds);

  // False when an idle connection was closed by the peer, or holds bytes that nobody asked for.
  [[nodiscard]] bool is_quiet();

  [[nodiscard]] const std::string& peer() const { return peer_; }  // "host:port"

 private:
  Link(Fd socket, std::string peer);
  static Result<std::unique_ptr<Link>> connect(const SocketAddress& address, std::string peer,
                                               const Bounds& bounds);
  Status start_tls(const TlsContext& tls, const std::string& host, const Bounds& bounds);
  // Waits for what OpenSSL asked for, or says why it cannot go on. 0 bytes: the end.
  Status await_tls(int outcome, const Bounds& bounds, std::string_view doing);
  Result<std::size_t> read_plain(std::span<char> buffer, const Bounds& bounds);
  Result<std::size_t> read_tls(std::span<char> buffer, const Bounds& bounds);
  Result<std::size_t> write_some(std::string_view bytes, const Bounds& bounds);

  Fd socket_;
  SslPtr ssl_;
  std::string peer_;
};

}  // namespace keyherd::net
