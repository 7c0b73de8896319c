#pragma once

// The server's side of TLS: one certificate with its key and the rules for clients. Immutable; a
// new certificate is a new object, which connections from then on are opened with. Any thread.

#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "net/tls_socket.hpp"

namespace keyherd::net {

enum class ClientCertificates { none, optional, required };
enum class TlsVersion { tls12, tls13 };

struct TlsServerOptions {
  std::string certificate;  // PEM: the server's own first, then those that vouch for it
  Secret key;               // PEM, without a passphrase
  std::string client_ca;    // PEM: who vouches for clients; needed where they show certificates
  ClientCertificates clients = ClientCertificates::none;
  TlsVersion min_version = TlsVersion::tls12;
};

class TlsServer {
 public:
  // Error: invalid, saying which part cannot be used. Never quotes one.
  static Result<std::shared_ptr<const TlsServer>> make(const TlsServerOptions& options);

  // A session on an accepted, non-blocking socket; the handshake is the caller's.
  [[nodiscard]] Result<SslPtr> session(int socket) const;
  // When the certificate ends.
  [[nodiscard]] WallTime expires_at() const { return expires_at_; }

 private:
  TlsServer() = default;
  SslContextPtr context_;
  WallTime expires_at_;
};

}  // namespace keyherd::net
