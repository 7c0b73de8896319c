#include "net/tls_context.hpp"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>

namespace keyherd::net {

namespace {

bool is_ip_address(const std::string& host) {
  std::array<unsigned char, 16> address{};
  return inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

// SNI is for names only (RFC 6066); an address is matched against the certificate's IP entries.
bool expect_host(SSL* ssl, const std::string& host) {
  if (is_ip_address(host))
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host(ssl, host.c_str()) == 1 &&
         SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                  const_cast<char*>(host.c_str())) == 1;  // NOLINT: copied, never written to
}

Status load_trust(SSL_CTX* context, const TlsTrust& trust) {
  const auto refuse = [](const std::string& doing) {
    return fail(ErrorCode::invalid, doing + ": " + tls_failure(nullptr));
  };
  if (!trust.ca_directory.empty() &&
      SSL_CTX_load_verify_dir(context, trust.ca_directory.c_str()) != 1)
    return refuse("reading the CA directory " + trust.ca_directory);
  if (!trust.ca_file.empty() && SSL_CTX_load_verify_file(context, trust.ca_file.c_str()) != 1)
    return refuse("reading the CA file " + trust.ca_file);
  if (!trust.cert_file.empty() &&
      SSL_CTX_use_certificate_chain_file(context, trust.cert_file.c_str()) != 1)
    return refuse("reading the certificate " + trust.cert_file);
  if (!trust.key_file.empty() &&
      SSL_CTX_use_PrivateKey_file(context, trust.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return refuse("reading the key " + trust.key_file);
  return {};
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const TlsTrust& trust) {
  std::shared_ptr<TlsContext> made(new TlsContext);
  made->context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!made->context_)
    return fail(ErrorCode::internal, "setting up TLS: " + tls_failure(nullptr));
  SSL_CTX* context = made->context_.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  // Whoever names a host's own certificate as trusted means just that one.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  set_socket_modes(context);
  KH_TRY(load_trust(context, trust));
  return made;
}

Result<SslPtr> TlsContext::session(int socket, const std::string& host) const {
  KH_ASSIGN(SslPtr ssl, open_session(context_.get(), socket));
  if (!expect_host(ssl.get(), host))
    return fail(ErrorCode::internal, "starting TLS with " + host + ": " + tls_failure(ssl.get()));
  SSL_set_connect_state(ssl.get());
  return ssl;
}

}  // namespace keyherd::net
