// Answers whose body is made while it is sent.

#include <zlib.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <stdexcept>

#include "http_fixture.hpp"
#include "net/compress.hpp"
#include "net/server.hpp"
#include "raw_peer.hpp"

using namespace keyherd;
using namespace keyherd::net;
using test::body_of;
using test::HttpFixture;
using test::RawClient;
using test::request_text;
using test::status_of;

namespace {

// So many pieces of so many bytes, each of its own letter. Counts those that were made, and those
// streams that are alive.
class Letters final : public BodyStream {
 public:
  Letters(int pieces, std::size_t bytes, std::atomic<int>& made, std::atomic<int>& alive)
      : pieces_(pieces), bytes_(bytes), made_(made), alive_(alive) {
    ++alive_;
  }
  ~Letters() override { --alive_; }
  Letters(const Letters&) = delete;
  Letters& operator=(const Letters&) = delete;

  bool next(std::string& piece) override {
    piece.append(bytes_, static_cast<char>('a' + next_ % 26));
    ++made_;
    return ++next_ < pieces_;
  }

 private:
  const int pieces_;
  const std::size_t bytes_;
  std::atomic<int>& made_;
  std::atomic<int>& alive_;
  int next_ = 0;
};

class Broken final : public BodyStream {
 public:
  bool next(std::string& piece) override {
    if (++calls_ > 2)
      throw std::runtime_error("bad key sk-SECRET123");
    piece += "half of it";
    return true;
  }

 private:
  int calls_ = 0;
};

struct StreamFixture {
  StreamFixture() {
    http.routes.push_back({"GET", "/letters", 0, [this](const ServerRequest& request) {
                             ServerResponse response = test::text_response("");
                             const int pieces = std::stoi(*request.parameter("pieces"));
                             const auto bytes = std::stoul(*request.parameter("bytes"));
                             response.stream =
                                 std::make_shared<Letters>(pieces, bytes, made, alive);
                             if (accepts_gzip(request))
                               response.stream = gzip(response.stream);
                             return response;
                           }});
    http.routes.push_back({"GET", "/broken", 0, [](const ServerRequest&) {
                             ServerResponse response = test::text_response("");
                             response.stream = std::make_shared<Broken>();
                             return response;
                           }});
    http.start();
  }
  std::atomic<int> made = 0;
  std::atomic<int> alive = 0;
  HttpFixture http;  // goes first: its workers use the counters
};

std::string dechunked(std::string_view text) {
  std::string body;
  while (!text.empty()) {
    std::size_t digits = 0;
    const std::size_t size = std::stoul(std::string(text.substr(0, 16)), &digits, 16);
    REQUIRE(text.substr(digits, 2) == "\r\n");
    body += text.substr(digits + 2, size);
    REQUIRE(text.substr(digits + 2 + size, 2) == "\r\n");
    text.remove_prefix(digits + 4 + size);
    if (size == 0)
      REQUIRE(text.empty());
  }
  return body;
}

std::string letters(int pieces, std::size_t bytes) {
  std::string all;
  for (int i = 0; i < pieces; ++i)
    all.append(bytes, static_cast<char>('a' + i % 26));
  return all;
}

std::string unzipped(const std::string& data) {
  z_stream inflate{};
  REQUIRE(inflateInit2(&inflate, 15 + 16) == Z_OK);
  std::string input = data;
  std::string out(64U << 20U, '\0');
  inflate.next_in = reinterpret_cast<Bytef*>(input.data());
  inflate.avail_in = static_cast<uInt>(input.size());
  inflate.next_out = reinterpret_cast<Bytef*>(out.data());
  inflate.avail_out = static_cast<uInt>(out.size());
  CHECK(::inflate(&inflate, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - inflate.avail_out);
  inflateEnd(&inflate);
  return out;
}

}  // namespace

TEST_CASE("a body of many pieces arrives whole, in chunks") {
  StreamFixture fixture;
  RawClient client(fixture.http.port());
  client.send(
      request_text("GET /letters?pieces=40&bytes=100000 HTTP/1.1", "Connection: close\r\n"));
  const std::string answer = client.read_to_end();
  CHECK(status_of(answer) == 200);
  CHECK(answer.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
  CHECK(answer.find("Content-Length") == std::string::npos);
  CHECK(dechunked(body_of(answer)) == letters(40, 100'000));
  CHECK(test::eventually([&] { return fixture.alive == 0; }));
}

TEST_CASE("a body of one piece is an answer like any other") {
  StreamFixture fixture;
  RawClient client(fixture.http.port());
  for (int i = 0; i < 3; ++i) {
    client.send(request_text("GET /letters?pieces=1&bytes=1000 HTTP/1.1"));
    const std::string answer = client.read_answer();
    CHECK(answer.find("Content-Length: 1000\r\n") != std::string::npos);
    CHECK(body_of(answer) == letters(1, 1'000));
  }
}

TEST_CASE("the connection goes on after a body in chunks, and pieces may be empty") {
  StreamFixture fixture;
  RawClient client(fixture.http.port());
  client.send(request_text("GET /letters?pieces=5&bytes=0 HTTP/1.1") +
              request_text("GET /hello HTTP/1.1", "Connection: close\r\n"));
  const std::string answer = client.read_to_end();
  CHECK(answer.find("\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n") != std::string::npos);
  CHECK(answer.ends_with("hello"));
}

TEST_CASE("HTTP/1.0 has no chunks: the body ends with the connection") {
  StreamFixture fixture;
  RawClient client(fixture.http.port());
  client.send(
      request_text("GET /letters?pieces=5&bytes=70000 HTTP/1.0", "Connection: keep-alive\r\n"));
  const std::string answer = client.read_to_end();
  CHECK(answer.find("Connection: close\r\n") != std::string::npos);
  CHECK(answer.find("Transfer-Encoding") == std::string::npos);
  CHECK(body_of(answer) == letters(5, 70'000));
}

TEST_CASE("HEAD makes no piece") {
  StreamFixture fixture;
  RawClient client(fixture.http.port());
  client.send(request_text("HEAD /letters?pieces=5&bytes=1000 HTTP/1.1", "Connection: close\r\n"));
  const std::string answer = client.read_to_end();
  CHECK(status_of(answer) == 200);
  CHECK(body_of(answer).empty());
  CHECK(fixture.made == 0);
}

TEST_CASE("a client that does not read costs a few pieces, no worker, and ends them by leaving") {
  StreamFixture fixture;
  std::vector<std::unique_ptr<RawClient>> sleepers;
  for (int i = 0; i < 8; ++i) {
    sleepers.push_back(std::make_unique<RawClient>(fixture.http.port()));
    sleepers.back()->send(request_text("GET /letters?pieces=1000&bytes=1000000 HTTP/1.1"));
  }
  CHECK(test::eventually([&] { return fixture.alive == 8 && fixture.made >= 8 * 3; }));
  RawClient client(fixture.http.port());
  for (int i = 0; i < 50; ++i) {
    client.send(request_text("GET /hello HTTP/1.1"));
    CHECK(body_of(client.read_answer()) == "hello");
  }
  // A socket's buffers take a few megabytes; nobody makes the other 990.
  CHECK(fixture.made < 8 * 30);
  sleepers.clear();
  CHECK(test::eventually([&] { return fixture.alive == 0; }));
}

TEST_CASE("a body that cannot be made to its end is seen to be broken, and says nothing of why") {
  StreamFixture fixture;
  RawClient client(fixture.http.port());
  client.send(request_text("GET /broken HTTP/1.1"));
  const std::string answer = client.read_to_end();
  CHECK(client.closed());
  CHECK(status_of(answer) == 200);
  CHECK_FALSE(answer.ends_with("0\r\n\r\n"));
  CHECK(answer.find("SECRET") == std::string::npos);
}

TEST_CASE("a body is compressed for whoever asks for it") {
  StreamFixture fixture;
  RawClient client(fixture.http.port());
  client.send(request_text("GET /letters?pieces=60&bytes=300000 HTTP/1.1",
                           "Accept-Encoding: deflate, gzip;q=0.5\r\nConnection: close\r\n"));
  const std::string answer = client.read_to_end();
  const std::string body = body_of(answer);
  CHECK(body.size() < 400'000);
  const bool chunked = answer.find("Transfer-Encoding: chunked") != std::string::npos;
  CHECK(unzipped(chunked ? dechunked(body) : body) == letters(60, 300'000));
}

TEST_CASE("gzip is used when it is accepted, and only then") {
  const auto accepts = [](const char* header) {
    ServerRequest request;
    if (header != nullptr)
      request.headers.emplace("accept-encoding", header);
    return accepts_gzip(request);
  };
  CHECK(accepts("gzip"));
  CHECK(accepts("deflate, GZIP ; q=0.8"));
  CHECK(accepts("*"));
  CHECK_FALSE(accepts(nullptr));
  CHECK_FALSE(accepts(""));
  CHECK_FALSE(accepts("identity, br"));
  CHECK_FALSE(accepts("gzip;q=0"));
  CHECK_FALSE(accepts("*, gzip;q=0.000"));
}
