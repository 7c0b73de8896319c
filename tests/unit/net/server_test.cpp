// The server for well-behaved clients: routing, answers, persistence, start and stop.

#include <fcntl.h>
#include <catch2/catch.hpp>
#include <chrono>
#include <set>

#include "http_fixture.hpp"
#include "net/server.hpp"
#include "net/transport.hpp"
#include "raw_peer.hpp"

using namespace keyherd;
using namespace keyherd::net;
using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;
using test::body_of;
using test::HttpFixture;
using test::RawClient;
using test::request_text;
using test::status_of;

TEST_CASE("a request reaches its handler whole and decoded") {
  HttpFixture http;
  http.start();
  RawClient client(http.port());
  client.send(request_text("GET /keys/a%2Fb%20c?q=x%26y&flag HTTP/1.1", "X-T: a%0D%0Ab\r\n"));
  const std::string answer = client.read_answer();
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer) == "a/b c");
  const ServerRequest seen = http.last_request();
  CHECK(seen.method == "GET");
  CHECK(seen.path == "/keys/a/b c");
  CHECK(seen.parameter("q") == "x&y");
  CHECK(seen.parameter("flag") == "");
  CHECK_FALSE(seen.parameter("absent"));
  CHECK(seen.header("x-t") == "a%0D%0Ab");
  CHECK(seen.peer == "127.0.0.1");
}

TEST_CASE("bodies arrive whole, sized or in chunks, large forms included") {
  HttpFixture http;
  http.start();
  RawClient client(http.port());
  client.send(request_text("POST /echo HTTP/1.1", "Transfer-Encoding: chunked\r\n",
                           "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"));
  CHECK(body_of(client.read_answer()) == "abcde");
  // curl's default content type; a form is nothing special here.
  const std::string form(100'000, 'f');
  client.send(request_text("POST /echo HTTP/1.1",
                           "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " +
                               std::to_string(form.size()) + "\r\n",
                           form));
  CHECK(body_of(client.read_answer()) == form);
  client.send(request_text("POST /echo HTTP/1.1", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
  CHECK(status_of(client.read_answer()) == 100);
  client.send("hello");
  CHECK(body_of(client.read_answer()) == "hello");
}

TEST_CASE("a connection persists, answers in well under 40 ms, and closes when asked") {
  HttpFixture http;
  http.start();
  RawClient client(http.port());
  const auto began = Steady::now();
  constexpr int kCount = 100;
  for (int i = 0; i < kCount; ++i) {
    client.send(request_text("GET /hello HTTP/1.1"));
    REQUIRE(body_of(client.read_answer()) == "hello");
  }
  CHECK((Steady::now() - began) / kCount < milliseconds(10));
  client.send(request_text("GET /hello HTTP/1.1", "Connection: close\r\n"));
  const std::string last = client.read_to_end();
  CHECK(status_of(last) == 200);
  CHECK_THAT(last, Catch::Contains("\r\nConnection: close\r\n"));
  CHECK(client.closed());
}

TEST_CASE("HTTP/1.0 closes unless it asks to be kept") {
  HttpFixture http;
  http.start();
  RawClient plain(http.port());
  plain.send("GET /hello HTTP/1.0\r\n\r\n");
  CHECK(body_of(plain.read_to_end()) == "hello");
  CHECK(plain.closed());
  RawClient kept(http.port());
  for (int i = 0; i < 2; ++i) {
    kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const std::string answer = kept.read_answer();
    CHECK(status_of(answer) == 200);
    CHECK_THAT(answer, Catch::Contains("\r\nConnection: keep-alive\r\n"));
  }
}

TEST_CASE("pipelined requests are answered each, in order") {
  HttpFixture http;
  http.start();
  RawClient client(http.port());
  std::string many;
  for (int i = 0; i < 50; ++i)
    many += request_text("GET /keys/" + std::to_string(i) + " HTTP/1.1") +
            request_text("GET /missing HTTP/1.1");
  client.send(many);
  for (int i = 0; i < 50; ++i) {
    REQUIRE(body_of(client.read_answer()) == std::to_string(i));
    REQUIRE(status_of(client.read_answer()) == 404);
  }
}

TEST_CASE("HEAD is GET without the body") {
  HttpFixture http;
  http.start();
  RawClient client(http.port());
  client.send(request_text("HEAD /hello HTTP/1.1"));
  const std::string answer = client.read_answer(true);
  CHECK(status_of(answer) == 200);
  CHECK_THAT(answer, Catch::Contains("\r\nContent-Length: 5\r\n"));
  CHECK(body_of(answer).empty());
  client.send(request_text("GET /hello HTTP/1.1"));
  CHECK(body_of(client.read_answer()) == "hello");
}

TEST_CASE("misses and wrong methods are answered in the owner's form") {
  HttpFixture http;
  http.options.error_body = [](int status, std::string_view code, std::string_view) {
    ServerResponse response = test::text_response("mine: " + std::string(code));
    response.status = status;
    return response;
  };
  http.start();
  RawClient client(http.port());
  client.send(request_text("GET /nothing HTTP/1.1"));
  const std::string missing = client.read_answer();
  CHECK(status_of(missing) == 404);
  CHECK(body_of(missing) == "mine: not_found");
  for (const char* method : {"DELETE", "TRACE", "OPTIONS", "BREW"}) {
    client.send(request_text(std::string(method) + " /hello HTTP/1.1"));
    const std::string wrong = client.read_answer();
    CHECK(status_of(wrong) == 405);
    CHECK_THAT(wrong, Catch::Contains("\r\nAllow: GET, HEAD\r\n"));
  }
}

TEST_CASE("what a handler throws stays inside") {
  HttpFixture http;
  http.start();
  RawClient client(http.port());
  for (const char* target : {"/throw", "/throw?what=int", "/throw?what=memory"}) {
    client.send(request_text(std::string("GET ") + target + " HTTP/1.1"));
    const std::string answer = client.read_answer();
    CHECK(status_of(answer) == 500);
    CHECK_THAT(answer, Catch::Contains(R"({"error":{"code":"internal")"));
    CHECK(answer.find("SECRET") == std::string::npos);
    CHECK(answer.find("EXCEPTION") == std::string::npos);
  }
}

TEST_CASE("a large answer arrives whole, and Range asks in vain") {
  HttpFixture http;
  http.start();
  RawClient client(http.port());
  std::string ranges = "Range: bytes=0-";
  for (int i = 0; i < 500; ++i)
    ranges += ",0-";
  const double before = test::resident_mib();
  client.send(request_text("GET /big HTTP/1.1", ranges + "\r\n"));
  const std::string answer = client.read_answer();
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer).size() == 8U << 20U);
  CHECK(test::resident_mib() - before < 100);
}

TEST_CASE("the guard answers first, and a refused body is never taken for a request") {
  HttpFixture http;
  http.options.guard = [](const ServerRequest& request, const Route& route, bool) -> Admission {
    if (request.header("authorization") == "Bearer good" || route.pattern == "/hello")
      return {};
    ServerResponse response = test::text_response("who are you?");
    response.status = 401;
    return {Admission::Kind::refused, response};
  };
  http.start();
  RawClient client(http.port());
  const std::string smuggled = request_text("GET /keys/smuggled HTTP/1.1");
  client.send(request_text("POST /echo HTTP/1.1",
                           "Content-Length: " + std::to_string(smuggled.size()) + "\r\n"));
  client.send(smuggled);
  CHECK(status_of(client.read_answer()) == 401);
  client.send(request_text("GET /hello HTTP/1.1"));
  CHECK(body_of(client.read_answer()) == "hello");
  CHECK(http.handled() == 1);
  client.send(request_text("GET /keys/k HTTP/1.1", "Authorization: Bearer good\r\n"));
  CHECK(body_of(client.read_answer()) == "k");
}

TEST_CASE("the owner hears of every answer, by route") {
  HttpFixture http;
  http.start();
  RawClient client(http.port());
  for (const char* line :
       {"GET /keys/1 HTTP/1.1", "GET /nothing HTTP/1.1", "BREW /hello HTTP/1.1"}) {
    client.send(request_text(line));
    client.read_answer();
  }
  REQUIRE(test::eventually([&] { return http.observed().size() == 3; }));
  const auto seen = http.observed();
  CHECK(seen[0].pattern == "/keys/{id}");
  CHECK(seen[0].status == 200);
  CHECK(seen[1].pattern.empty());
  CHECK(seen[1].status == 404);
  CHECK(seen[2].method == "OTHER");
}

TEST_CASE("requests beyond the queue get 503 and when to come back") {
  HttpFixture http;
  http.options.workers = 1;
  http.options.queue_limit = 1;
  http.start();
  RawClient running(http.port());
  running.send(request_text("GET /block HTTP/1.1"));
  REQUIRE(test::eventually([&] { return http.blocked() == 1; }));
  RawClient waiting(http.port());
  RawClient refused(http.port());
  waiting.send(request_text("GET /hello HTTP/1.1"));
  // Both orders are fair: one of them waits, the other is told to come back.
  refused.send(request_text("GET /hello HTTP/1.1"));
  REQUIRE(test::eventually([&] { return http.observed().size() == 1; }));
  http.release();
  const std::string one = waiting.read_answer();
  const std::string two = refused.read_answer();
  CHECK(status_of(one) + status_of(two) == 200 + 503);
  CHECK_THAT(status_of(one) == 503 ? one : two, Catch::Contains("\r\nRetry-After: 1\r\n"));
  CHECK(body_of(running.read_answer()) == "released");
}

TEST_CASE("two servers cannot share a port, and an address must be one") {
  HttpFixture http;
  http.start();
  ServerOptions same;
  same.port = http.port();
  const auto second = start_server(same, {});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == ErrorCode::conflict);
  for (const char* address : {"", "example.com", "1.2.3", "203.0.113.7"}) {
    ServerOptions wrong;
    wrong.address = address;
    const auto refused = start_server(wrong, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::invalid);
  }
  for (const char* address : {"localhost", "0.0.0.0"}) {
    ServerOptions right;
    right.address = address;
    CHECK(start_server(right, {}));
  }
}

TEST_CASE("a port is free again as soon as its server has stopped") {
  int port = 0;
  for (int i = 0; i < 3; ++i) {
    HttpFixture http;
    http.options.port = port;
    http.start();
    port = http.port();
    RawClient client(port);
    client.send(request_text("GET /hello HTTP/1.1"));
    CHECK(status_of(client.read_answer()) == 200);
  }
}

namespace {

std::set<int> inheritable_descriptors() {
  std::set<int> found;
  for (int fd = 3; fd < 1'024; ++fd) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0)
      found.insert(fd);
  }
  return found;
}

}  // namespace

TEST_CASE("a child process inherits none of the descriptors of either side") {
  const auto before = inheritable_descriptors();
  HttpFixture http;
  http.start();
  const auto transport = make_http_transport(TransportOptions{});
  HttpRequest request;
  request.url = "http://127.0.0.1:" + std::to_string(http.port()) + "/hello";
  REQUIRE(transport->send(request, {}));
  CHECK(inheritable_descriptors() == before);
}

TEST_CASE("the server stops within two seconds whatever its clients do") {
  HttpFixture http;
  http.start();
  std::vector<std::unique_ptr<RawClient>> clients;
  const auto add = [&](const std::string& bytes) {
    clients.push_back(std::make_unique<RawClient>(http.port()));
    clients.back()->send(bytes);
  };
  add("");
  add("GET /hel");
  add(request_text("POST /echo HTTP/1.1", "Content-Length: 100\r\n", "half"));
  add(request_text("GET /big HTTP/1.1"));  // and never reads
  add(request_text("GET /hello HTTP/1.1", "Connection: close\r\n"));
  REQUIRE(test::eventually([&] { return http.observed().size() == 2; }));
  const auto began = Steady::now();
  http.server->stop();
  http.server->stop();
  http.server->wake();
  CHECK(Steady::now() - began < milliseconds(2'000));
  CHECK_THROWS(RawClient(http.port()));
}

TEST_CASE("a stop waits for the answer that a worker is about to give") {
  HttpFixture http;
  http.start();
  RawClient client(http.port());
  client.send(request_text("GET /block HTTP/1.1"));
  REQUIRE(test::eventually([&] { return http.blocked() == 1; }));
  std::jthread stopper([&] { http.server->stop(); });
  CHECK(test::eventually([&] {
    try {
      RawClient probe(http.port());
      return false;
    } catch (const std::exception&) {
      return true;  // it listens no more
    }
  }));
  http.release();
  CHECK(body_of(client.read_answer()) == "released");
}
