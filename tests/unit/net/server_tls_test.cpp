// The server through TLS: the same answers, and nobody waits for a slow handshake.

#include <openssl/ssl.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "http_fixture.hpp"
#include "net/transport.hpp"
#include "raw_peer.hpp"
#include "support/temp_dir.hpp"
#include "support/tls_material.hpp"

using namespace keyherd;
using namespace keyherd::net;
using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;
using test::body_of;
using test::HttpFixture;
using test::make_tls_material;
using test::RawClient;
using test::request_text;
using test::status_of;
using test::TempDir;
using test::TlsMaterial;

namespace {

std::shared_ptr<const TlsServer> tls_of(const TlsMaterial& material,
                                        TlsServerOptions options = {}) {
  options.certificate = material.certificate_pem;
  options.key = Secret(material.key_pem);
  auto made = TlsServer::make(options);
  REQUIRE(made);
  return *made;
}

std::string write_pem(const TempDir& directory, const char* name, const std::string& pem) {
  const std::string path = directory / name;
  std::ofstream(path) << pem;
  return path;
}

// A server with a certificate, and what its clients trust.
struct TlsFixture {
  explicit TlsFixture(TlsServerOptions tls = {})
      : certificate(tls_of(material, std::move(tls))),
        ca_file(write_pem(directory, "ca.pem", material.certificate_pem)) {
    http.options.tls = [this] { return std::atomic_load(&certificate); };
  }

  [[nodiscard]] Result<HttpResponse> ask(const std::string& path, const std::string& body = "",
                                         TransportOptions options = {}) const {
    HttpRequest request;
    request.method = body.empty() ? "GET" : "POST";
    request.url = "https://127.0.0.1:" + std::to_string(http.port()) + path;
    request.ca_file = ca_file;
    request.body = body;
    request.max_response_bytes = 16U << 20U;
    return make_http_transport(options)->send(request, {});
  }

  TempDir directory;
  TlsMaterial material = make_tls_material({});
  std::shared_ptr<const TlsServer> certificate;
  std::string ca_file;
  HttpFixture http;
};

// A client that shows this certificate.
TransportOptions showing(const TempDir& directory, const TlsMaterial& material) {
  TransportOptions options;
  options.cert_file = write_pem(directory, "client.pem", material.certificate_pem);
  options.key_file = write_pem(directory, "client.key", material.key_pem);
  return options;
}

TlsMaterial client_material() {
  test::CertificateSpec spec;
  spec.purpose = "clientAuth";
  return make_tls_material(spec);
}

// The bytes with which a client begins.
std::string client_hello() {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL* ssl = SSL_new(context);
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl);
  SSL_do_handshake(ssl);
  std::string bytes(4'096, '\0');
  bytes.resize(static_cast<std::size_t>(
      BIO_read(SSL_get_wbio(ssl), bytes.data(), static_cast<int>(bytes.size()))));
  SSL_free(ssl);
  SSL_CTX_free(context);
  return bytes;
}

}  // namespace

TEST_CASE("through TLS the same is answered, small and large, on kept connections") {
  TlsFixture tls;
  tls.http.start();
  const auto transport = make_http_transport({});
  HttpRequest request;
  request.url = "https://localhost:" + std::to_string(tls.http.port()) + "/hello";
  request.ca_file = tls.ca_file;
  const auto began = Steady::now();
  for (int i = 0; i < 50; ++i)
    REQUIRE(transport->send(request, {})->body == "hello");
  CHECK((Steady::now() - began) / 50 < milliseconds(20));
  CHECK(tls.ask("/big")->body.size() == 8U << 20U);
  const std::string body(900'000, 'b');
  CHECK(tls.ask("/echo", body)->body == body);
  CHECK(tls.ask("/missing")->status == 404);
}

TEST_CASE("a client without TLS is told in plain text what is spoken here") {
  TlsFixture tls;
  tls.http.start();
  RawClient plain(tls.http.port());
  plain.send(request_text("GET /hello HTTP/1.1"));
  const std::string answer = plain.read_to_end();
  CHECK(status_of(answer) == 400);
  CHECK_THAT(body_of(answer), Catch::Contains("https://"));
  CHECK(tls.http.handled() == 0);
}

TEST_CASE("hundreds of slow handshakes delay nobody, and the oldest are given up") {
  TlsFixture tls;
  tls.http.options.max_handshakes = 200;
  tls.http.start();
  const std::string hello = client_hello();
  std::vector<std::unique_ptr<RawClient>> slow;
  for (std::size_t i = 0; i < 300; ++i) {
    slow.push_back(std::make_unique<RawClient>(tls.http.port()));
    slow.back()->send(hello.substr(0, i % 3 == 0 ? 0 : i % 3 == 1 ? 40 : hello.size()));
  }
  // The median: another process may hold up one of them.
  std::vector<Steady::duration> took;
  for (int i = 0; i < 11; ++i) {
    const auto began = Steady::now();
    REQUIRE(tls.ask("/hello"));
    took.push_back(Steady::now() - began);
  }
  std::ranges::sort(took);
  CHECK(took[5] < milliseconds(100));
  CHECK(slow.front()->read_to_end().empty());
  CHECK(slow.front()->closed());
}

TEST_CASE("a handshake has a deadline that a dribble does not move") {
  TlsFixture tls;
  tls.http.options.handshake_deadline = milliseconds(200);
  tls.http.start();
  RawClient slow(tls.http.port());
  const auto began = Steady::now();
  REQUIRE(slow.send(client_hello().substr(0, 50)));
  std::jthread dribble([&](const std::stop_token& stop) {
    test::eventually([&] { return stop.stop_requested() || !slow.send("a"); });
  });
  slow.read_to_end();
  dribble.request_stop();
  CHECK(slow.closed());
  CHECK(Steady::now() - began < milliseconds(2'000));
}

TEST_CASE("clients show a certificate where one is required, and it must be a good one") {
  const TlsMaterial good = client_material();
  const TlsMaterial stranger = client_material();
  TempDir directory;
  for (const auto mode : {ClientCertificates::required, ClientCertificates::optional}) {
    TlsServerOptions options;
    options.clients = mode;
    options.client_ca = good.certificate_pem;
    TlsFixture tls(std::move(options));
    tls.http.start();
    CHECK(tls.ask("/hello").has_value() == (mode == ClientCertificates::optional));
    CHECK_FALSE(tls.ask("/hello", "", showing(directory, stranger)));
    CHECK(tls.ask("/hello", "", showing(directory, good)).has_value());
  }
}

TEST_CASE("a server's certificate is none for clients") {
  const TlsMaterial server = make_tls_material({});  // for serverAuth
  TempDir directory;
  TlsServerOptions options;
  options.clients = ClientCertificates::required;
  options.client_ca = server.certificate_pem;
  TlsFixture tls(std::move(options));
  tls.http.start();
  CHECK_FALSE(tls.ask("/hello", "", showing(directory, server)));
}

TEST_CASE("a client that speaks only an older TLS than the oldest allowed is refused") {
  TlsServerOptions options;
  options.min_version = TlsVersion::tls13;
  TlsFixture tls(std::move(options));
  tls.http.start();
  CHECK(tls.ask("/hello"));
  SSL_CTX* old = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION);
  BIO* connection = BIO_new_ssl_connect(old);
  BIO_set_conn_hostname(connection, ("127.0.0.1:" + std::to_string(tls.http.port())).c_str());
  CHECK(BIO_do_handshake(connection) <= 0);
  BIO_free_all(connection);
  SSL_CTX_free(old);
}

TEST_CASE("a new certificate is for new connections; those that are open go on") {
  TlsFixture tls;
  tls.http.start();
  const auto transport = make_http_transport({});
  HttpRequest request;
  request.url = "https://127.0.0.1:" + std::to_string(tls.http.port()) + "/hello";
  request.ca_file = tls.ca_file;
  REQUIRE(transport->send(request, {}));
  const TlsMaterial fresh = make_tls_material({});
  std::atomic_store(&tls.certificate, tls_of(fresh));
  CHECK(transport->send(request, {}));  // the connection is kept
  CHECK_FALSE(tls.ask("/hello"));       // a new one meets the new certificate
  tls.ca_file = write_pem(tls.directory, "fresh.pem", fresh.certificate_pem);
  CHECK(tls.ask("/hello"));
}

TEST_CASE(
    "what cannot be a certificate with its key is refused with a reason and without a quote") {
  const TlsMaterial one = make_tls_material({});
  const TlsMaterial other = make_tls_material({});
  const auto refusal = [](const std::string& certificate, const std::string& key,
                          const std::string& ca = "") {
    TlsServerOptions options;
    options.certificate = certificate;
    options.key = Secret(key);
    options.client_ca = ca;
    options.clients = ca.empty() ? ClientCertificates::none : ClientCertificates::required;
    const auto made = TlsServer::make(options);
    REQUIRE_FALSE(made);
    CHECK(made.error().message.find(key.substr(40, 20)) == std::string::npos);
    return made.error().message;
  };
  CHECK_THAT(refusal("", one.key_pem), Catch::Contains("certificate cannot be used"));
  CHECK_THAT(refusal(one.key_pem, one.key_pem), Catch::Contains("certificate cannot be used"));
  CHECK_THAT(refusal(one.certificate_pem, one.certificate_pem),
             Catch::Contains("key cannot be used"));
  CHECK_THAT(refusal(one.certificate_pem, other.key_pem), Catch::Contains("does not belong"));
  CHECK_THAT(refusal(one.certificate_pem.substr(0, 200), one.key_pem),
             Catch::Contains("certificate cannot be used"));
  CHECK_THAT(refusal(one.certificate_pem + one.certificate_pem.substr(0, 200), one.key_pem),
             Catch::Contains("chain cannot be used"));
  CHECK_THAT(refusal(one.certificate_pem, one.key_pem, "no certificate"),
             Catch::Contains("vouch for clients"));
}

TEST_CASE("long polls and a stop go through TLS as without") {
  TlsFixture tls;
  std::atomic<bool> asked = false;
  std::atomic<bool> news = false;
  tls.http.routes.push_back({"GET", "/wait", 0, [&](const ServerRequest&) -> Answer {
                               asked = true;
                               return Park{Steady::now() + std::chrono::seconds(10),
                                           [&news]() -> std::optional<ServerResponse> {
                                             if (news)
                                               return test::text_response("news");
                                             return std::nullopt;
                                           },
                                           [] { return test::text_response("none"); }};
                             }});
  tls.http.start();
  Result<HttpResponse> waited = fail(ErrorCode::internal, "");
  std::jthread waiter([&] { waited = tls.ask("/wait"); });
  REQUIRE(test::eventually([&] { return asked.load(); }));
  news = true;
  tls.http.server->wake();
  waiter.join();
  CHECK(waited->body == "news");
  const auto began = Steady::now();
  tls.http.server->stop();
  CHECK(Steady::now() - began < std::chrono::seconds(2));
}
