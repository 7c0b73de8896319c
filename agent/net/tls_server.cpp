#include "net/tls_server.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <ctime>
#include <string_view>

namespace keyherd::net {

namespace {

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct CertificateFree {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;
using CertificatePtr = std::unique_ptr<X509, CertificateFree>;
using KeyPtr = std::unique_ptr<EVP_PKEY, KeyFree>;

BioPtr reader_of(std::string_view text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// A key with a passphrase must not ask for it at a terminal.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

tl::unexpected<Error> unusable(std::string_view what) {
  return fail(ErrorCode::invalid, std::string(what) + ": " + tls_failure(nullptr));
}

WallTime end_of(const X509* certificate) {
  std::tm end{};
  ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end);
  return WallTime(std::chrono::seconds(::timegm(&end)));
}

Result<WallTime> use_certificate(SSL_CTX* context, std::string_view pem) {
  const BioPtr reader = reader_of(pem);
  const CertificatePtr own(PEM_read_bio_X509_AUX(reader.get(), nullptr, no_passphrase, nullptr));
  if (!own || SSL_CTX_use_certificate(context, own.get()) != 1)
    return unusable("the certificate cannot be used");
  while (X509* const next = PEM_read_bio_X509(reader.get(), nullptr, no_passphrase, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) != 1) {
      X509_free(next);
      return unusable("the certificate's chain cannot be used");
    }
  }
  // The reading ends with "no start line" at the end of the text, and with another error before it.
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    return unusable("the certificate's chain cannot be used");
  ERR_clear_error();
  return end_of(own.get());
}

Status use_key(SSL_CTX* context, const Secret& pem) {
  const BioPtr reader = reader_of(pem.reveal());
  const KeyPtr key(PEM_read_bio_PrivateKey(reader.get(), nullptr, no_passphrase, nullptr));
  if (!key)
    return unusable("the key cannot be used");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
    return unusable("the key does not belong to the certificate");
  return {};
}

// Clients are told the names of these CAs, so that they know which certificate to show.
Status use_client_ca(SSL_CTX* context, std::string_view pem) {
  const BioPtr reader = reader_of(pem);
  int count = 0;
  while (true) {
    const CertificatePtr ca(PEM_read_bio_X509(reader.get(), nullptr, no_passphrase, nullptr));
    if (!ca)
      break;
    ++count;
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca.get());
    SSL_CTX_add_client_CA(context, ca.get());
  }
  if (count == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    return unusable("the certificates that vouch for clients cannot be used");
  ERR_clear_error();
  return {};
}

int verify_mode(ClientCertificates clients) {
  switch (clients) {
    case ClientCertificates::none:
      return SSL_VERIFY_NONE;
    case ClientCertificates::optional:
      return SSL_VERIFY_PEER;
    case ClientCertificates::required:
      return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

}  // namespace

Result<std::shared_ptr<const TlsServer>> TlsServer::make(const TlsServerOptions& options) {
  ERR_clear_error();
  std::shared_ptr<TlsServer> made(new TlsServer);
  made->context_.reset(SSL_CTX_new(TLS_server_method()));
  if (!made->context_)
    return unusable("setting up TLS");
  SSL_CTX* context = made->context_.get();
  SSL_CTX_set_min_proto_version(
      context, options.min_version == TlsVersion::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  set_socket_modes(context);
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
  // Nothing is resumed: connections are kept, and a certificate that was withdrawn, the server's or
  // a client's, is not good for one handshake more.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
  KH_ASSIGN(made->expires_at_, use_certificate(context, options.certificate));
  KH_TRY(use_key(context, options.key));
  if (options.clients != ClientCertificates::none)
    KH_TRY(use_client_ca(context, options.client_ca));
  SSL_CTX_set_verify(context, verify_mode(options.clients), nullptr);
  return made;
}

Result<SslPtr> TlsServer::session(int socket) const {
  KH_ASSIGN(SslPtr ssl, open_session(context_.get(), socket));
  SSL_set_accept_state(ssl.get());
  return ssl;
}

}  // namespace keyherd::net
