#pragma once

// What all TLS connections to hosts with the same trust share: the CAs, our own certificate if we
// have one, and the rules (TLS 1.2 or newer, the certificate and the host name always verified).
// OpenSSL's SSL_CTX is made to be shared: any thread may open connections from one context.

#include <memory>
#include <string>

#include "base/result.hpp"
#include "net/tls_socket.hpp"

namespace keyherd::net {

struct TlsTrust {
  std::string ca_directory;  // hashed
  std::string ca_file;       // PEM; a certificate in it is trusted also when it is no CA's
  std::string cert_file;     // PEM: what we show to hosts that ask who we are; empty: nothing
  std::string key_file;
};

class TlsContext {
 public:
  // Error: invalid when a file that is named cannot be used.
  static Result<std::shared_ptr<const TlsContext>> make(const TlsTrust& trust);

  // A client's session on a connected, non-blocking socket, set to accept only `host`. The
  // handshake is the caller's.
  [[nodiscard]] Result<SslPtr> session(int socket, const std::string& host) const;

 private:
  TlsContext() = default;
  SslContextPtr context_;
};

}  // namespace keyherd::net
