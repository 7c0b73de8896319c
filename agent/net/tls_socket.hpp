#pragma once

// What both sides of TLS share: OpenSSL on a non-blocking socket, and its errors in words.

#include <memory>
#include <string>

#include "base/result.hpp"

// OpenSSL's types, so that its headers stay in the .cpp files.
struct ssl_ctx_st;
struct ssl_st;

namespace keyherd::net {

struct SslFree {
  void operator()(ssl_st* ssl) const;
};
using SslPtr = std::unique_ptr<ssl_st, SslFree>;

struct SslContextFree {
  void operator()(ssl_ctx_st* context) const;
};
using SslContextPtr = std::unique_ptr<ssl_ctx_st, SslContextFree>;

// The modes that non-blocking use needs.
void set_socket_modes(ssl_ctx_st* context);

// A session on a connected, non-blocking socket, which stays the caller's. Error: internal.
Result<SslPtr> open_session(ssl_ctx_st* context, int socket);

// Why the last TLS operation of this thread on this session failed, in words; clears the queue.
std::string tls_failure(ssl_st* ssl);

}  // namespace keyherd::net
