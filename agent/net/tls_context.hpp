#pragma once

// What all TLS connections to hosts with the same trust share: the CAs and the rules (TLS 1.2 or
// newer, the certificate and the host name always verified). OpenSSL's SSL_CTX is made to be
// shared: any thread may open connections from one context.

#include <memory>
#include <string>

#include "base/result.hpp"

// OpenSSL's types, so that its headers stay in the .cpp files.
struct ssl_ctx_st;
struct ssl_st;
struct bio_method_st;

namespace keyherd::net {

struct SslFree {
  void operator()(ssl_st* ssl) const;
};
using SslPtr = std::unique_ptr<ssl_st, SslFree>;

class TlsContext {
 public:
  // Trusts the CAs of the hashed directory, and those of ca_file (PEM) when it is not empty.
  // Error: invalid when ca_file cannot be read.
  static Result<std::shared_ptr<const TlsContext>> make(const std::string& ca_directory,
                                                        const std::string& ca_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // A client's session on a connected, non-blocking socket, set to accept only `host`. The
  // handshake is the caller's.
  [[nodiscard]] Result<SslPtr> session(int socket, const std::string& host) const;

 private:
  TlsContext() = default;
  ssl_ctx_st* context_ = nullptr;
  bio_method_st* socket_method_ = nullptr;
};

// Why the last TLS operation of this thread on this session failed, in words; clears the queue.
std::string tls_failure(ssl_st* ssl);

}  // namespace keyherd::net
