#include <catch2/catch.hpp>

#include "net/http_head.hpp"

using keyherd::net::parse_head;

TEST_CASE("a request head is read as it was sent") {
  const auto head = parse_head(
      "POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-T:  a%0D%0Ab \r\nContent-Length: 12\r\n"
      "Expect: 100-continue\r\n");
  REQUIRE(head);
  CHECK(head->method == "POST");
  CHECK(head->target == "/a?b=c");
  CHECK(head->content_length == 12U);
  CHECK(head->keep_alive);
  CHECK(head->expects_continue);
  // Not decoded: no line break comes to life.
  CHECK(head->headers.find("x-t")->second == "a%0D%0Ab");
}

TEST_CASE("a connection persists by the rules of its version") {
  CHECK(parse_head("GET / HTTP/1.1\r\nHost: x\r\n")->keep_alive);
  CHECK_FALSE(parse_head("GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n")->keep_alive);
  CHECK_FALSE(parse_head("GET / HTTP/1.0\r\n")->keep_alive);
  CHECK(parse_head("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n")->keep_alive);
}

TEST_CASE("what two readers could understand differently is refused") {
  struct Case {
    const char* head;
    int status;
  };
  const auto c = GENERATE(values<Case>({
      {"GET /\r\n", 400},  // HTTP/0.9
      {"GET  HTTP/1.1\r\nHost: x\r\n", 400},
      {"GET / HTTP/1.1 \r\nHost: x\r\n", 400},
      {"GET / x HTTP/1.1\r\nHost: x\r\n", 400},
      {"G(T / HTTP/1.1\r\nHost: x\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: x\r\n", 505},
      {"GET http://x/ HTTP/1.1\r\nHost: x\r\n", 400},
      {"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n", 400},
      {"OPTIONS * HTTP/1.1\r\nHost: x\r\n", 400},
      {"GET /#a HTTP/1.1\r\nHost: x\r\n", 400},
      {"GET /\xC3\xB6 HTTP/1.1\r\nHost: x\r\n", 400},
      {"GET / HTTP/1.1\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : x\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x10\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000000000000000\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", 400},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n", 501},
      {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n", 501},
      {"GET / HTTP/1.1\r\nHost: x\r\nExpect: a pony\r\n", 417},
  }));
  CAPTURE(c.head);
  const auto head = parse_head(c.head);
  REQUIRE_FALSE(head);
  CHECK(head.error().status == c.status);
}

TEST_CASE("targets and headers have their caps") {
  const std::string rest = " HTTP/1.1\r\nHost: x\r\n";
  CHECK(parse_head("GET /" + std::string(8191, 'a') + rest));
  const auto long_target = parse_head("GET /" + std::string(8192, 'a') + rest);
  REQUIRE_FALSE(long_target);
  CHECK(long_target.error().status == 414);
  std::string many = "GET /" + rest;
  for (int i = 0; i < 100; ++i)
    many += "X: y\r\n";
  const auto flood = parse_head(many);
  REQUIRE_FALSE(flood);
  CHECK(flood.error().status == 431);
}
