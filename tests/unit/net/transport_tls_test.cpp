// TLS out: verified always, 1.2 or newer, and never a byte of HTTP to a server that fails.

#include <openssl/ssl.h>
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>

#include "net/transport.hpp"
#include "raw_peer.hpp"
#include "support/temp_dir.hpp"
#include "support/tls_material.hpp"

using namespace keyherd;
using namespace keyherd::net;
using std::chrono::milliseconds;
using test::CertificateSpec;
using test::RawPeer;
using test::RawServer;

namespace {

constexpr std::string_view kTlsCanary = "sk-canary-0123456789abcdef";

void answer_all(RawPeer& peer) {
  while (!peer.read_request().empty())
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecure");
}

std::string write_pem(const test::TempDir& directory, const std::string& pem) {
  const std::string path = directory / "ca.pem";
  std::ofstream(path) << pem;
  return path;
}

Result<HttpResponse> get(const std::string& url, const std::string& ca_file,
                         milliseconds timeout = milliseconds(5'000)) {
  const Secret secret{std::string(kTlsCanary)};
  HttpRequest request;
  request.url = url;
  request.ca_file = ca_file;
  request.secret = &secret;
  request.timeout = timeout;
  return make_http_transport(TransportOptions{})->send(request, {});
}

}  // namespace

TEST_CASE("a server that the CA file vouches for is spoken to, over a kept connection") {
  const test::TempDir directory;
  const auto material = test::make_tls_material({});
  const std::string ca = write_pem(directory, material.certificate_pem);
  RawServer server(answer_all, material.context.get());
  const auto transport = make_http_transport(TransportOptions{});
  for (int i = 0; i < 3; ++i) {
    HttpRequest request;
    request.url = server.url();
    request.ca_file = ca;
    const auto response = transport->send(request, {});
    REQUIRE(response);
    CHECK(response->body == "secure");
  }
  CHECK(server.connections() == 1);
  const std::string by_name = "https://localhost:" + std::to_string(server.port()) + "/";
  CHECK(get(by_name, ca));
}

TEST_CASE("a certificate that does not hold is refused, and the server sees no HTTP") {
  struct Case {
    const char* name;
    CertificateSpec spec;
    bool trusted;
    const char* message;
  };
  const auto c = GENERATE(values<Case>({
      {"self-signed", {}, false, "self-signed certificate"},
      {"wrong host", {"DNS:other.example"}, true, "mismatch"},
      {"wrong address", {"IP:127.0.0.2"}, true, "mismatch"},
      {"expired", {"IP:127.0.0.1", -7'200, -3'600}, true, "expired"},
      {"not yet valid", {"IP:127.0.0.1", 3'600, 7'200}, true, "not yet valid"},
      {"for clients", {"IP:127.0.0.1", -3'600, 3'600, "clientAuth"}, true, "purpose"},
  }));
  CAPTURE(c.name);
  const test::TempDir directory;
  const auto material = test::make_tls_material(c.spec);
  RawServer server(answer_all, material.context.get());
  const auto response =
      get(server.url(), c.trusted ? write_pem(directory, material.certificate_pem) : "");
  REQUIRE_FALSE(response);
  CHECK(response.error().code == ErrorCode::unavailable);
  CHECK(is_tls_failure(response.error()));
  CHECK_THAT(response.error().message, Catch::Contains("TLS"));
  CHECK_THAT(response.error().message, Catch::Contains(c.message));
  CHECK(response.error().message.find("canary") == std::string::npos);
  CHECK(server.scripts_run() == 0);
}

TEST_CASE("TLS 1.1 and plain HTTP are refused on an https URL") {
  const test::TempDir directory;
  SECTION("TLS 1.1") {
    CertificateSpec spec;
    spec.max_tls_version = TLS1_1_VERSION;
    const auto material = test::make_tls_material(spec);
    RawServer server(answer_all, material.context.get());
    const auto response = get(server.url(), write_pem(directory, material.certificate_pem));
    REQUIRE_FALSE(response);
    CHECK(response.error().code == ErrorCode::unavailable);
    CHECK(server.scripts_run() == 0);
  }
  SECTION("plain HTTP") {
    std::string seen;
    RawServer server([&](RawPeer& peer) {
      peer.pause(milliseconds(5'000));
      peer.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    const auto response = get("https://127.0.0.1:" + std::to_string(server.port()) + "/", "");
    REQUIRE_FALSE(response);
    CHECK(response.error().code == ErrorCode::unavailable);
    CHECK_THAT(response.error().message, Catch::Contains("TLS"));
  }
}

TEST_CASE("a handshake that never comes ends at the deadline, and at once when stopped") {
  RawServer server([](RawPeer& peer) {
    while (peer.pause(milliseconds(5'000)) && !peer.read_request().empty()) {
    }
  });
  const std::string url = "https://127.0.0.1:" + std::to_string(server.port()) + "/";
  const auto began = std::chrono::steady_clock::now();
  SECTION("deadline") {
    const auto response = get(url, "", milliseconds(250));
    REQUIRE_FALSE(response);
    CHECK(response.error().code == ErrorCode::timeout);
    CHECK_FALSE(is_tls_failure(response.error()));
  }
  SECTION("time to connect") {
    HttpRequest request;
    request.url = url;
    request.connect_timeout = milliseconds(250);
    const auto response = make_http_transport(TransportOptions{})->send(request, {});
    REQUIRE_FALSE(response);
    CHECK(response.error().code == ErrorCode::timeout);
  }
  SECTION("stop") {
    std::stop_source source;
    std::jthread stopper([&] {
      test::eventually([&] { return server.connections() > 0; });
      source.request_stop();
    });
    HttpRequest request;
    request.url = url;
    const auto response =
        make_http_transport(TransportOptions{})->send(request, source.get_token());
    REQUIRE_FALSE(response);
    CHECK(response.error().code == ErrorCode::cancelled);
  }
  CHECK(std::chrono::steady_clock::now() - began < milliseconds(2'000));
}

TEST_CASE("a CA file that cannot be read is an error of the configuration") {
  const auto response = get("https://127.0.0.1:1/", "/nonexistent/ca.pem");
  REQUIRE_FALSE(response);
  CHECK(response.error().code == ErrorCode::invalid);
  CHECK_THAT(response.error().message, Catch::Contains("/nonexistent/ca.pem"));
}
