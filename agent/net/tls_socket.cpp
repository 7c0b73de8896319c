#include "net/tls_socket.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

namespace keyherd::net {

namespace {

// OpenSSL's own socket BIO writes without MSG_NOSIGNAL: a peer that closes early would end the
// whole process with SIGPIPE. These four functions are that BIO with the flag.
int socket_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const auto sent = ::send(socket_of(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR))
    BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const auto received = ::recv(socket_of(bio), data, static_cast<std::size_t>(size), 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR))
    BIO_set_retry_read(bio);
  return static_cast<int>(received);
}

long bio_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int bio_create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

struct MethodFree {
  void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};

std::unique_ptr<BIO_METHOD, MethodFree> make_socket_method() {
  std::unique_ptr<BIO_METHOD, MethodFree> method(
      BIO_meth_new(BIO_TYPE_SOURCE_SINK, "keyherd socket"));
  if (method) {
    BIO_meth_set_write(method.get(), bio_write);
    BIO_meth_set_read(method.get(), bio_read);
    BIO_meth_set_ctrl(method.get(), bio_control);
    BIO_meth_set_create(method.get(), bio_create);
  }
  return method;
}

}  // namespace

void SslFree::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

void SslContextFree::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}

void set_socket_modes(ssl_ctx_st* context) {
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  // Many peers end without close_notify. The message's own framing tells what is whole.
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION);
}

Result<SslPtr> open_session(ssl_ctx_st* context, int socket) {
  static const auto kMethod = make_socket_method();
  ERR_clear_error();
  SslPtr ssl(SSL_new(context));
  BIO* bio = kMethod ? BIO_new(kMethod.get()) : nullptr;
  if (!ssl || bio == nullptr) {
    BIO_free(bio);
    return fail(ErrorCode::internal, "starting TLS: " + tls_failure(ssl.get()));
  }
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  SSL_set_bio(ssl.get(), bio, bio);
  return ssl;
}

std::string tls_failure(ssl_st* ssl) {
  if (ssl != nullptr) {
    if (const long verdict = SSL_get_verify_result(ssl); verdict != X509_V_OK) {
      ERR_clear_error();
      return std::string("the certificate is refused: ") + X509_verify_cert_error_string(verdict);
    }
  }
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0)
    return "the connection was closed";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

}  // namespace keyherd::net
