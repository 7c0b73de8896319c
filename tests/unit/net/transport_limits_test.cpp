// The transport against servers that drip, flood, hang and lie.

#include <zlib.h>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "net/transport.hpp"
#include "raw_peer.hpp"

using namespace keyherd;
using namespace keyherd::net;
using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;
using test::RawPeer;
using test::RawServer;

namespace {

HttpRequest request_to(const RawServer& server, milliseconds timeout) {
  HttpRequest request;
  request.url = server.url();
  request.timeout = timeout;
  return request;
}

struct Outcome {
  Result<HttpResponse> response;
  milliseconds took;
};

Outcome send(const HttpRequest& request, std::stop_token stop = {}) {
  const auto transport = make_http_transport(TransportOptions{});
  const auto began = Steady::now();
  auto response = transport->send(request, std::move(stop));
  return {std::move(response), std::chrono::duration_cast<milliseconds>(Steady::now() - began)};
}

std::string gzip_of_zeros(std::size_t size) {
  const std::string zeros(size, '0');
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
  std::string packed(deflateBound(&stream, size), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(zeros.data()));
  stream.avail_in = static_cast<uInt>(size);
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace

TEST_CASE("a byte now and then does not hold a request beyond its deadline") {
  struct Case {
    const char* name;
    const char* start;
    const char* drip;
  };
  const auto c = GENERATE(values<Case>({
      {"silence", "", ""},
      {"in the status line", "HTTP/1.1 2", "0"},
      {"in the headers", "HTTP/1.1 200 OK\r\n", "X: y\r\n"},
      {"in the body", "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", "x"},
      {"in a body without length", "HTTP/1.1 200 OK\r\n\r\n", "x"},
      {"in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"},
      {"in interim answers", "", "HTTP/1.1 100 Continue\r\n\r\n"},
  }));
  CAPTURE(c.name);
  RawServer server([&](RawPeer& peer) {
    peer.read_request();
    peer.write(c.start);
    while (peer.pause(milliseconds(20)) && peer.write(c.drip)) {
    }
  });
  const auto outcome = send(request_to(server, milliseconds(250)));
  REQUIRE_FALSE(outcome.response);
  CHECK(outcome.response.error().code == ErrorCode::timeout);
  CHECK(outcome.took >= milliseconds(245));
  CHECK(outcome.took < milliseconds(1'000));
}

TEST_CASE("a request whose body nobody takes ends at its deadline") {
  RawServer server([](RawPeer& peer) { peer.hang(); });
  HttpRequest request = request_to(server, milliseconds(250));
  request.method = "POST";
  request.body = std::string(16U << 20U, 'x');
  const auto outcome = send(request);
  REQUIRE_FALSE(outcome.response);
  CHECK(outcome.response.error().code == ErrorCode::timeout);
  CHECK(outcome.took < milliseconds(2'000));
}

TEST_CASE("an answer beyond the cap is cut off, for GET and for POST") {
  struct Case {
    const char* name;
    const char* head;
  };
  const auto c = GENERATE(values<Case>({
      {"sized", "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n"},
      {"without length", "HTTP/1.1 200 OK\r\n\r\n"},
      {"one huge chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFF\r\n"},
      {"a negative chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n"},
  }));
  const std::string method = GENERATE("GET", "POST");
  CAPTURE(c.name, method);
  RawServer server([&](RawPeer& peer) {
    peer.read_request();
    peer.write(c.head);
    const std::string block(1U << 16U, 'x');
    while (peer.write(block)) {
    }
  });
  HttpRequest request = request_to(server, milliseconds(5'000));
  request.method = method;
  request.max_response_bytes = 1U << 20U;
  const double before = test::resident_mib();
  const auto outcome = send(request);
  REQUIRE_FALSE(outcome.response);
  CHECK(outcome.response.error().code == ErrorCode::too_large);
  CHECK(test::resident_mib() - before < 16);
}

TEST_CASE("an answer exactly at the cap is whole") {
  RawServer server([](RawPeer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x'));
  });
  HttpRequest request = request_to(server, milliseconds(5'000));
  request.max_response_bytes = 1000;
  const auto outcome = send(request);
  REQUIRE(outcome.response);
  CHECK(outcome.response->body.size() == 1000);
}

TEST_CASE("headers without end are cut off at 64 KiB") {
  const std::string drop = GENERATE(values<std::string>({"X-Flood: y\r\n", "no line end "}));
  RawServer server([&](RawPeer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\n");
    std::string block;
    for (int i = 0; i < 1'000; ++i)
      block += drop;
    while (peer.write(block)) {
    }
  });
  const auto outcome = send(request_to(server, milliseconds(5'000)));
  REQUIRE_FALSE(outcome.response);
  CHECK(outcome.took < milliseconds(4'000));
  // httplib gives up on a line of 8 KiB by itself; the flood of short lines is ours.
  if (drop.back() == '\n')
    CHECK(outcome.response.error().code == ErrorCode::too_large);
}

TEST_CASE("a chunk line without end costs a bounded amount of memory") {
  RawServer server([](RawPeer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string block(1U << 16U, '1');
    while (peer.write(block)) {
    }
  });
  const double before = test::resident_mib();
  HttpRequest request = request_to(server, milliseconds(10'000));
  request.max_response_bytes = 1U << 20U;
  const auto outcome = send(request);
  REQUIRE_FALSE(outcome.response);
  CHECK(outcome.response.error().code == ErrorCode::too_large);
  CHECK(test::resident_mib() - before < 64);
}

TEST_CASE("a compressed answer that nobody asked for is unpacked no further than the cap") {
  const std::string packed = gzip_of_zeros(64U << 20U);
  RawServer server([&](RawPeer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " +
               std::to_string(packed.size()) + "\r\n\r\n" + packed);
  });
  const double before = test::resident_mib();
  const auto outcome = send(request_to(server, milliseconds(5'000)));
  REQUIRE_FALSE(outcome.response);
  CHECK(outcome.response.error().code == ErrorCode::too_large);
  CHECK(test::resident_mib() - before < 16);
}

TEST_CASE("an answer that ends before its length is no answer") {
  RawServer server([](RawPeer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
  });
  const auto outcome = send(request_to(server, milliseconds(5'000)));
  REQUIRE_FALSE(outcome.response);
  CHECK(outcome.response.error().code == ErrorCode::unavailable);
}

TEST_CASE("a stop request ends a request at once, wherever it is") {
  const char* start = GENERATE("", "HTTP/1.1 200 OK\r\n\r\nhalf of it");
  std::atomic<bool> asked = false;
  RawServer server([&](RawPeer& peer) {
    peer.read_request();
    peer.write(start);
    asked = true;
    peer.pause(milliseconds(10'000));
  });
  std::stop_source source;
  std::jthread stopper([&] {
    test::eventually([&] { return asked.load(); });
    source.request_stop();
  });
  const auto outcome = send(request_to(server, milliseconds(10'000)), source.get_token());
  REQUIRE_FALSE(outcome.response);
  CHECK(outcome.response.error().code == ErrorCode::cancelled);
  CHECK(outcome.took < milliseconds(3'000));
}

TEST_CASE("a stop request before the start sends nothing") {
  RawServer server([](RawPeer& peer) { peer.read_request(); });
  std::stop_source source;
  source.request_stop();
  const auto outcome = send(request_to(server, milliseconds(5'000)), source.get_token());
  REQUIRE_FALSE(outcome.response);
  CHECK(outcome.response.error().code == ErrorCode::cancelled);
}

TEST_CASE(
    "a silence longer than the read time-out ends a request, an answer that goes on does not") {
  RawServer server([](RawPeer& peer) {
    const std::string request = peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
    for (int i = 0; i < 6 && peer.pause(milliseconds(60)); ++i)
      peer.write("x");
  });
  HttpRequest request = request_to(server, milliseconds(10'000));
  request.read_timeout = milliseconds(2'000);
  const auto whole = send(request);
  REQUIRE(whole.response);
  CHECK(whole.response->body == "xxxxxx");
  request.read_timeout = milliseconds(20);
  const auto cut = send(request);
  REQUIRE_FALSE(cut.response);
  CHECK(cut.response.error().code == ErrorCode::timeout);
  CHECK(cut.took < milliseconds(2'000));
  CHECK_FALSE(is_tls_failure(cut.response.error()));
}

TEST_CASE("a body is handed on as it comes, but not an error's") {
  std::atomic<bool> first_came = false;
  RawServer server([&](RawPeer& peer) {
    if (peer.read_request().find("GET /bad") != std::string::npos) {
      peer.write("HTTP/1.1 500 No\r\nContent-Length: 4\r\n\r\noops");
      return;
    }
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    // The rest only once the first part is there: else this would never end.
    while (!first_came && peer.pause(milliseconds(1))) {
    }
    peer.write("4\r\nlast\r\n0\r\n\r\n");
  });
  std::string got;
  HttpRequest request = request_to(server, milliseconds(5'000));
  request.on_body = [&](std::string_view bytes) {
    got += bytes;
    first_came = true;
  };
  const auto whole = send(request);
  REQUIRE(whole.response);
  CHECK(got == "firstlast");
  CHECK(whole.response->body.empty());
  request.url = server.url("/bad");
  const auto bad = send(request);
  REQUIRE(bad.response);
  CHECK(bad.response->body == "oops");
  CHECK(got == "firstlast");
}
