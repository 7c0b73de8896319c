#include <catch2/catch.hpp>

#include "net/request_reader.hpp"

using namespace keyherd::net;
using Progress = RequestReader::Progress;

namespace {

RouteTable table() {
  const auto handler = [](const ServerRequest&) { return ServerResponse{}; };
  return RouteTable({Route{"GET", "/x/{id}", 0, handler}, Route{"POST", "/up", 10, handler}});
}

constexpr std::string_view kPost = "POST /up HTTP/1.1\r\nHost: h\r\n";

}  // namespace

TEST_CASE("a request is whole only when its last byte is there, and the next one is kept") {
  const RouteTable routes = table();
  RequestReader reader(routes, 1'000);
  CHECK(reader.is_idle());
  const std::string wire = std::string(kPost) + "Content-Length: 5\r\n\r\nhello" +
                           "GET /x/a%20b?q=1 HTTP/1.1\r\nHost: h\r\n\r\n";
  const std::size_t first_ends = wire.find("GET");
  for (std::size_t i = 0; i < first_ends; ++i) {
    REQUIRE(reader.advance() == Progress::more);
    reader.append(wire.substr(i, 1));
  }
  REQUIRE(reader.advance() == Progress::complete);
  CHECK(reader.request().body == "hello");
  CHECK(reader.route()->pattern == "/up");
  CHECK(reader.can_continue());
  reader.append(wire.substr(first_ends));
  reader.next();
  REQUIRE(reader.advance() == Progress::complete);
  CHECK(reader.request().captures == std::vector<std::string>{"a b"});
  CHECK(reader.request().parameter("q") == "1");
  CHECK(reader.request().header("host") == "h");
  reader.next();
  CHECK(reader.is_idle());
}

TEST_CASE("a client that asks first is told to go on, and one beyond the cap is told not to") {
  const RouteTable routes = table();
  RequestReader reader(routes, 1'000);
  reader.append(std::string(kPost) + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  CHECK(reader.advance() == Progress::expects_continue);
  CHECK(reader.advance() == Progress::more);
  reader.append("hello");
  CHECK(reader.advance() == Progress::complete);

  RequestReader large(routes, 1'000);
  large.append(std::string(kPost) + "Content-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  REQUIRE(large.advance() == Progress::refused);
  CHECK(large.refusal().status == 413);
  CHECK_FALSE(large.can_continue());
}

TEST_CASE("the route's cap holds before the body is read, and for chunks") {
  const RouteTable routes = table();
  const std::string wire = GENERATE(values<std::string>({
      "POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999999999999\r\n\r\n",
      "POST /up HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nB\r\n",
      "GET /x/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n",
      "GET /x/1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
  }));
  CAPTURE(wire);
  RequestReader reader(routes, 1'000);
  reader.append(wire);
  REQUIRE(reader.advance() == Progress::refused);
  CHECK(reader.refusal().status == 413);
  CHECK_FALSE(reader.can_continue());
}

TEST_CASE("a head has a cap, and its lines end with CR LF") {
  const RouteTable routes = table();
  RequestReader endless(routes, 1'000);
  endless.append("GET /" + std::string(1'000, 'a'));
  REQUIRE(endless.advance() == Progress::refused);
  CHECK(endless.refusal().status == 431);
  RequestReader bare(routes, 1'000);
  bare.append("GET / HTTP/1.1\nHost: h\n\n");
  REQUIRE(bare.advance() == Progress::refused);
  CHECK(bare.refusal().status == 400);
  RequestReader polite(routes, 1'000);
  polite.append("\r\n\r\nGET /x/1 HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(polite.advance() == Progress::complete);
}

TEST_CASE("after a miss the connection goes on only when no body is left in it") {
  const RouteTable routes = table();
  RequestReader bodiless(routes, 1'000);
  bodiless.append("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n");
  REQUIRE(bodiless.advance() == Progress::refused);
  CHECK(bodiless.refusal().status == 404);
  CHECK(bodiless.can_continue());
  RequestReader with_body(routes, 1'000);
  with_body.append("PUT /up HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
  REQUIRE(with_body.advance() == Progress::refused);
  CHECK(with_body.refusal().status == 405);
  CHECK(with_body.allowed_methods() == "POST");
  CHECK_FALSE(with_body.can_continue());
}
