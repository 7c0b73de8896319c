#pragma once

// Throwaway keys and certificates, made for one test with OpenSSL.

#include <memory>
#include <string>

struct ssl_ctx_st;

namespace keyherd::test {

struct CertificateSpec {
  std::string names = "IP:127.0.0.1,DNS:localhost";  // subjectAltName
  long valid_from_seconds = -3'600;                  // from now
  long valid_until_seconds = 3'600;
  std::string purpose = "serverAuth";  // extendedKeyUsage
  int max_tls_version = 0;             // 0: any
};

// A server's context with a self-signed certificate, and that certificate as PEM: whoever trusts
// the PEM as a CA trusts the server.
struct TlsMaterial {
  std::shared_ptr<ssl_ctx_st> context;
  std::string certificate_pem;
  std::string key_pem;
};
TlsMaterial make_tls_material(const CertificateSpec& spec);

}  // namespace keyherd::test
