// The server under clients that dribble, flood, lie and vanish.

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "http_fixture.hpp"
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

namespace {

using Clients = std::vector<std::unique_ptr<RawClient>>;

Clients connect_many(int count, int port, const std::string& bytes) {
  Clients clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<RawClient>(port));
    clients.back()->send(bytes);
  }
  return clients;
}

milliseconds time_hello(int port) {
  const auto began = Steady::now();
  RawClient client(port);
  client.send(request_text("GET /hello HTTP/1.1"));
  REQUIRE(body_of(client.read_answer()) == "hello");
  return std::chrono::duration_cast<milliseconds>(Steady::now() - began);
}

}  // namespace

TEST_CASE("two hundred dribbling clients do not delay a request by 100 ms") {
  HttpFixture http;
  http.options.workers = 2;
  http.start();
  const auto heads = connect_many(100, http.port(), "GET /hello HTTP/1.1\r\nX-Slow: ");
  const auto bodies = connect_many(
      50, http.port(), request_text("POST /echo HTTP/1.1", "Content-Length: 1000\r\n", "a"));
  const auto silent = connect_many(50, http.port(), "");
  milliseconds worst{0};
  for (int i = 0; i < 20; ++i) {
    for (const auto& client : heads)
      client->send("a");
    worst = std::max(worst, time_hello(http.port()));
  }
  CHECK(worst < milliseconds(100));
}

TEST_CASE("a dribble does not move the deadline of a head or of a body") {
  HttpFixture http;
  http.options.head_deadline = milliseconds(150);
  http.options.body_deadline = milliseconds(150);
  http.start();
  const std::string start = GENERATE(
      values<std::string>({"GET /hello HTTP/1.1\r\nX: ",
                           "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"}));
  RawClient client(http.port());
  const auto began = Steady::now();
  REQUIRE(client.send(start));
  std::jthread dribble([&](const std::stop_token& stop) {
    test::eventually([&] { return stop.stop_requested() || !client.send("a"); });
  });
  const std::string answer = client.read_to_end();
  dribble.request_stop();
  CHECK(status_of(answer) == 408);
  CHECK(Steady::now() - began < milliseconds(3'000));
}

TEST_CASE("a silent connection is closed, at first and between requests") {
  HttpFixture http;
  http.options.head_deadline = milliseconds(50);
  http.options.idle_timeout = milliseconds(50);
  http.start();
  RawClient silent(http.port());
  CHECK(silent.read_to_end().empty());
  CHECK(silent.closed());
  RawClient kept(http.port());
  kept.send(request_text("GET /hello HTTP/1.1"));
  CHECK(status_of(kept.read_to_end()) == 200);
  CHECK(kept.closed());
}

TEST_CASE("floods of headers, lines and chunks are refused in little memory") {
  HttpFixture http;
  http.start();
  struct Case {
    std::string start;
    std::string flood;
    int status;
  };
  const auto c = GENERATE(values<Case>({
      {"GET /hello HTTP/1.1\r\nHost: x\r\n", "X-Flood: y\r\n", 431},
      {"GET /hello HTTP/1.1\r\nX-Line: ", "0123456789abcdef", 431},
      {"GET /", "0123456789abcdef", 431},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
       "00010\r\n0123456789abcdef\r\n", 413},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "11111111", 400},
  }));
  CAPTURE(c.start, c.flood);
  const double before = test::resident_mib();
  std::string block;
  for (int i = 0; i < 4'000; ++i)
    block += c.flood;
  RawClient client(http.port());
  client.send(c.start);
  // It is told long before it has sent everything, and the answer is not lost in a reset.
  for (int i = 0; i < 200 && client.send(block); ++i) {
  }
  client.half_close();
  CHECK(status_of(client.read_to_end()) == c.status);
  CHECK(test::resident_mib() - before < 16);
}

TEST_CASE("a body that is too large is refused unread, and the answer arrives") {
  HttpFixture http;
  http.start();
  const std::string body(4U << 20U, 'x');
  RawClient client(http.port());
  client.send(request_text("POST /echo HTTP/1.1",
                           "Content-Length: " + std::to_string(body.size()) + "\r\n"));
  client.send(body);
  client.half_close();
  const std::string answer = client.read_to_end();
  CHECK(status_of(answer) == 413);
  CHECK_THAT(answer, Catch::Contains("\r\nConnection: close\r\n"));
  CHECK(http.handled() == 0);
}

TEST_CASE("what hides behind a refused request is never executed") {
  const std::string hidden = request_text("GET /hello HTTP/1.1");
  const std::string wire = GENERATE_COPY(values<std::string>({
      request_text("GET /hello HTTP/1.1", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
      request_text("POST /echo HTTP/1.1", "Content-Length: 1\r\nContent-Length: 2\r\n"),
      request_text("GET /missing HTTP/1.1",
                   "Content-Length: " + std::to_string(hidden.size()) + "\r\n"),
      request_text("GET /hello HTTP/1.1",
                   "Content-Length: " + std::to_string(hidden.size()) + "\r\n"),
      "GET /hello\r\n\r\n",
      "garbage\r\n\r\n",
      "GET /hello HTTP/1.1\nHost: x\n\n",
      "\x16\x03\x01\x02\n",
  }));
  CAPTURE(wire);
  HttpFixture http;
  http.start();
  RawClient client(http.port());
  client.send(wire + hidden);
  client.half_close();
  const std::string answer = client.read_to_end();
  CHECK(status_of(answer) >= 400);
  CHECK(answer.find("HTTP/1.1", 1) == std::string::npos);
  CHECK(http.handled() == 0);
}

TEST_CASE("a full house turns out whoever holds a connection for nothing") {
  HttpFixture http;
  http.options.max_connections = 20;
  http.start();
  const auto dribblers = connect_many(60, http.port(), "GET /hello HT");
  CHECK(time_hello(http.port()) < milliseconds(1'000));
}

TEST_CASE("when every connection is in work, the next one is told so") {
  HttpFixture http;
  http.options.max_connections = 2;
  http.options.workers = 2;
  http.start();
  const auto busy = connect_many(2, http.port(), request_text("GET /block HTTP/1.1"));
  REQUIRE(test::eventually([&] { return http.blocked() == 2; }));
  RawClient third(http.port());
  CHECK(status_of(third.read_to_end()) == 503);
  http.release();
  for (const auto& client : busy)
    CHECK(body_of(client->read_answer()) == "released");
}

TEST_CASE("all bodies together stay within their cap") {
  HttpFixture http;
  http.options.max_held_bytes = 1U << 20U;
  http.start();
  const std::string half(600'000, 'x');
  const std::string head = request_text("POST /echo HTTP/1.1", "Content-Length: 1000000\r\n");
  RawClient first(http.port());
  first.send(head + half);
  RawClient second(http.port());
  second.send(head + half);
  // One of them is refused, whichever came last; the other is served to its end.
  REQUIRE(test::eventually([&] { return !http.observed().empty(); }));
  CHECK(http.observed().front().status == 503);
  const std::string rest(400'000, 'x');
  first.send(rest);
  second.send(rest);
  const std::string one = first.read_answer();
  const std::string two = second.read_answer();
  CHECK(status_of(one) + status_of(two) == 200 + 503);
}

TEST_CASE("all answers together that nobody takes stay within their cap") {
  HttpFixture http;
  http.options.max_unsent_bytes = 20U << 20U;
  http.start();
  const auto deaf = connect_many(4, http.port(), request_text("GET /big HTTP/1.1"));
  REQUIRE(test::eventually([&] { return http.observed().size() == 4; }));
  int refused = 0;
  for (const auto& seen : http.observed())
    refused += seen.status == 503 ? 1 : 0;
  CHECK(refused >= 1);
  CHECK(refused <= 2);
}

TEST_CASE("a client that takes no answer is given up") {
  HttpFixture http;
  http.options.write_deadline = milliseconds(100);
  http.options.max_unsent_bytes = 10U << 20U;
  http.start();
  RawClient deaf(http.port());
  deaf.send(request_text("GET /big HTTP/1.1"));
  // Its bytes are freed: the next one is served in full.
  CHECK(test::eventually([&] {
    RawClient client(http.port());
    client.send(request_text("GET /big HTTP/1.1"));
    return status_of(client.read_answer()) == 200;
  }));
}

TEST_CASE("clients that vanish at any moment leave the server well") {
  HttpFixture http;
  http.start();
  for (int i = 0; i < 20; ++i) {
    connect_many(1, http.port(), request_text("GET /big HTTP/1.1"));
    connect_many(1, http.port(), request_text("GET /hello HTTP/1.1"));
    connect_many(1, http.port(), "GET /he");
  }
  CHECK(time_hello(http.port()) < milliseconds(4'000));
}
