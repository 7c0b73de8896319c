// The transport against well-behaved servers: what it sends, what it returns, how it reuses.

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "net/server.hpp"
#include "net/transport.hpp"
#include "raw_peer.hpp"

using namespace keyherd;
using namespace keyherd::net;
using test::RawPeer;
using test::RawServer;

namespace {

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view kCanary = "sk-canary-0123456789abcdef";

std::unique_ptr<Transport> transport() {
  return make_http_transport(TransportOptions{});
}

HttpRequest get(const std::string& url) {
  HttpRequest request;
  request.url = url;
  request.timeout = std::chrono::milliseconds(5'000);
  return request;
}

}  // namespace

TEST_CASE("a request carries its headers, its body and its credential") {
  std::string seen;
  RawServer server([&](RawPeer& peer) {
    seen = peer.read_request();
    peer.write("HTTP/1.1 201 Created\r\nX-RateLimit-Left: 7\r\nContent-Length: 4\r\n\r\nbody");
  });
  const Secret secret{std::string(kCanary)};
  HttpRequest request = get(server.url("/v1/x?y=%20z"));
  request.method = "POST";
  request.body = R"({"a":1})";
  request.headers = {{"X-Trace", "abc"}, {"user-agent", "custom/1"}};
  request.secret = &secret;
  const auto response = transport()->send(request, {});
  REQUIRE(response);
  CHECK(response->status == 201);
  CHECK(response->body == "body");
  CHECK(response->header("x-ratelimit-left") == "7");
  CHECK(response->latency.count() > 0);
  CHECK_THAT(seen, Catch::StartsWith("POST /v1/x?y=%20z HTTP/1.1\r\n"));
  CHECK_THAT(seen,
             Catch::Contains("\r\nHost: 127.0.0.1:" + std::to_string(server.port()) + "\r\n"));
  CHECK_THAT(seen, Catch::Contains("\r\nAuthorization: Bearer " + std::string(kCanary) + "\r\n"));
  CHECK_THAT(seen, Catch::Contains("\r\nX-Trace: abc\r\n"));
  CHECK_THAT(seen, Catch::Contains("\r\nUser-Agent: custom/1\r\n"));
  CHECK_THAT(seen, Catch::Contains("\r\nContent-Type: application/json\r\n"));
  CHECK_THAT(seen, Catch::Contains("\r\nContent-Length: 7\r\n"));
  CHECK_THAT(seen, Catch::Contains("\r\nAccept-Encoding: identity\r\n"));
  CHECK_THAT(seen, Catch::EndsWith("\r\n\r\n{\"a\":1}"));
}

TEST_CASE("a kept connection answers in well under the 40 ms of a delayed acknowledgement") {
  auto server = start_server({}, {Route{"POST", "/echo", 1'000, [](const ServerRequest& request) {
                                          ServerResponse response;
                                          response.body = request.body;
                                          return response;
                                        }}});
  REQUIRE(server);
  const auto client = transport();
  HttpRequest request = get("http://127.0.0.1:" + std::to_string((*server)->port()) + "/echo");
  request.method = "POST";
  request.body = "ping";
  REQUIRE(client->send(request, {}));
  const auto began = std::chrono::steady_clock::now();
  constexpr int kCount = 50;
  for (int i = 0; i < kCount; ++i) {
    const auto response = client->send(request, {});
    REQUIRE(response);
    REQUIRE(response->body == "ping");
  }
  const auto average = (std::chrono::steady_clock::now() - began) / kCount;
  CHECK(average < std::chrono::milliseconds(10));
}

TEST_CASE("one connection serves many requests, and a close is honoured") {
  RawServer server([](RawPeer& peer) {
    for (int i = 0; i < 3 && !peer.read_request().empty(); ++i)
      peer.write(i < 2 ? std::string(kOk)
                       : "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
  });
  const auto client = transport();
  for (int i = 0; i < 4; ++i)
    REQUIRE(client->send(get(server.url()), {}));
  CHECK(server.connections() == 2);
}

TEST_CASE("many threads share a transport without sharing a connection") {
  RawServer server([](RawPeer& peer) {
    while (!peer.read_request().empty())
      peer.write(kOk);
  });
  const auto client = transport();
  std::atomic<int> good = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 25; ++i) {
          const auto response = client->send(get(server.url()), {});
          good += response && response->body == "ok" ? 1 : 0;
        }
      });
    }
  }
  CHECK(good == 200);
  CHECK(server.connections() <= 8);
}

TEST_CASE("a connection that the server closed meanwhile is replaced without an error") {
  // It answers one request a connection, promises to keep it, and hangs up on the second.
  RawServer server([](RawPeer& peer) {
    if (!peer.read_request().empty())
      peer.write(kOk);
    peer.read_request();
  });
  const auto client = transport();
  REQUIRE(client->send(get(server.url()), {}));
  const auto again = client->send(get(server.url()), {});
  REQUIRE(again);
  CHECK(again->body == "ok");
  CHECK(server.connections() == 2);
}

TEST_CASE("a request that may have been executed is never sent twice") {
  std::atomic<int> requests = 0;
  RawServer server([&](RawPeer& peer) {
    if (!peer.read_request().empty()) {
      ++requests;
      peer.write(kOk);
    }
    if (!peer.read_request().empty())
      ++requests;
  });
  const auto client = transport();
  HttpRequest request = get(server.url());
  request.method = "POST";
  REQUIRE(client->send(request, {}));
  const auto lost = client->send(request, {});
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == ErrorCode::unavailable);
  CHECK(requests == 2);
}

TEST_CASE("a redirect is an answer, and the other server never hears of it") {
  RawServer other([](RawPeer& peer) { peer.read_request(); });
  const std::string status =
      GENERATE(values<std::string>({"301 Moved Permanently", "302 Found", "303 See Other",
                                    "307 Temporary Redirect", "308 Permanent Redirect"}));
  RawServer server([&](RawPeer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 " + status + "\r\nLocation: " + other.url("/steal") +
               "\r\nContent-Length: 0\r\n\r\n");
  });
  const Secret secret{std::string(kCanary)};
  HttpRequest request = get(server.url());
  request.secret = &secret;
  const auto response = transport()->send(request, {});
  REQUIRE(response);
  CHECK(std::to_string(response->status) == status.substr(0, 3));
  CHECK(response->header("location") == other.url("/steal"));
  CHECK(other.connections() == 0);
}

TEST_CASE("answers without a body end where their status says") {
  const std::string head = GENERATE(values<std::string>(
      {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n"}));
  RawServer server([&](RawPeer& peer) {
    while (!peer.read_request().empty())
      peer.write(head);
  });
  const auto client = transport();
  for (int i = 0; i < 2; ++i) {
    const auto response = client->send(get(server.url()), {});
    REQUIRE(response);
    CHECK(response->body.empty());
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("HEAD gets the headers and waits for no body") {
  RawServer server([](RawPeer& peer) {
    while (!peer.read_request().empty())
      peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
  });
  HttpRequest request = get(server.url());
  request.method = "HEAD";
  const auto response = transport()->send(request, {});
  REQUIRE(response);
  CHECK(response->header("content-length") == "1000");
  CHECK(response->body.empty());
}

TEST_CASE("a percent-encoded line break in an answer's header stays inside its value") {
  RawServer server([](RawPeer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nX-T: a%0D%0AX-Evil: 1\r\nContent-Length: 0\r\n\r\n");
  });
  const auto response = transport()->send(get(server.url()), {});
  REQUIRE(response);
  CHECK(response->header("x-t").find_first_of("\r\n") == std::string_view::npos);
  CHECK(response->header("x-evil").empty());
}

TEST_CASE("a request that would inject a header never reaches the wire") {
  RawServer server([](RawPeer& peer) { peer.read_request(); });
  const auto client = transport();
  HttpRequest request = get(server.url());
  const std::string bad = GENERATE(values<std::string>(
      {"k\r\nX-Injected: 1", "k\n", std::string("k\0k", 3), "k\xC3\xB6", "a\tb"}));
  SECTION("in a value") {
    request.headers = {{"X-Test", bad}};
  }
  SECTION("in a name") {
    request.headers = {{"X-Test" + bad, "v"}};
  }
  SECTION("in the content type") {
    request.method = "POST";
    request.body = "x";
    request.content_type = bad;
  }
  SECTION("in the prefix of the secret") {
    request.secret_prefix = bad;
  }
  SECTION("in the method") {
    request.method = "GET" + bad;
  }
  SECTION("as framing") {
    request.headers = {{"Transfer-Encoding", "chunked"}};
  }
  const Secret secret{std::string(kCanary)};
  request.secret = &secret;
  const auto response = client->send(request, {});
  REQUIRE_FALSE(response);
  CHECK(response.error().code == ErrorCode::invalid);
  CHECK(response.error().message.find(kCanary) == std::string::npos);
  CHECK(server.connections() == 0);
}

TEST_CASE("a secret that no header may carry is refused and not shown") {
  RawServer server([](RawPeer& peer) { peer.read_request(); });
  for (const std::string ending : {"\r\nX: 1", " x", "\t", "\xC3\xB6", "\x7f"}) {
    const Secret secret(std::string(kCanary) + ending);
    HttpRequest request = get(server.url());
    request.secret = &secret;
    const auto response = transport()->send(request, {});
    REQUIRE_FALSE(response);
    CHECK(response.error().code == ErrorCode::invalid);
    CHECK(response.error().message.find("canary") == std::string::npos);
  }
  CHECK(server.connections() == 0);
}

TEST_CASE("no request goes to where clouds hand out their machines' credentials") {
  const auto transport = make_http_transport({});
  for (const char* host : {"169.254.169.254", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]",
                           "[2002:a9fe:a9fe::]", "[fe80::1]"}) {
    HttpRequest request;
    request.url = "http://" + std::string(host) + "/latest/meta-data/";
    request.timeout = std::chrono::seconds(2);
    const auto response = transport->send(request, {});
    REQUIRE_FALSE(response);
    CHECK(response.error().code == ErrorCode::unavailable);
    CHECK_THAT(response.error().message, Catch::Contains("never spoken to"));
  }
}

TEST_CASE("a failure says what failed, and never the secret") {
  const Secret secret{std::string(kCanary)};
  int free_port = 0;
  {
    const RawServer gone([](RawPeer&) {});
    free_port = gone.port();
  }
  HttpRequest request = get("http://127.0.0.1:" + std::to_string(free_port) + "/");
  request.secret = &secret;
  SECTION("refused") {
    const auto response = transport()->send(request, {});
    REQUIRE_FALSE(response);
    CHECK(response.error().code == ErrorCode::unavailable);
    CHECK_THAT(response.error().message, Catch::Contains("refused", Catch::CaseSensitive::No));
  }
  SECTION("unknown name") {
    request.url = "http://no-such-host.invalid/";
    const auto response = transport()->send(request, {});
    REQUIRE_FALSE(response);
    CHECK(response.error().code == ErrorCode::unavailable);
    CHECK_THAT(response.error().message, Catch::Contains("no-such-host.invalid"));
    CHECK_THAT(response.error().message, Catch::Contains("DNS"));
  }
  SECTION("reset") {
    RawServer server([](RawPeer& peer) {
      peer.read_request();
      peer.reset();
    });
    request.url = server.url();
    const auto response = transport()->send(request, {});
    REQUIRE_FALSE(response);
    CHECK(response.error().code == ErrorCode::unavailable);
    CHECK_THAT(response.error().message, Catch::Contains("reset", Catch::CaseSensitive::No));
    CHECK(response.error().message.find("canary") == std::string::npos);
  }
  SECTION("not HTTP") {
    RawServer server([](RawPeer& peer) {
      peer.read_request();
      peer.write("220 smtp.example.com ESMTP\r\n\r\n");
    });
    request.url = server.url();
    const auto response = transport()->send(request, {});
    REQUIRE_FALSE(response);
    CHECK(response.error().code == ErrorCode::unavailable);
    CHECK(response.error().message.find("canary") == std::string::npos);
  }
}
