#include <catch2/catch.hpp>

#include "net/chunked_decoder.hpp"

using keyherd::net::ChunkedDecoder;
using State = ChunkedDecoder::State;

TEST_CASE("a chunked body is the same however it is cut on its way") {
  const std::string wire =
      "5\r\nhello\r\n1;ext=1\r\n \r\n00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nNEXT";
  for (std::size_t step = 1; step <= wire.size(); ++step) {
    CAPTURE(step);
    ChunkedDecoder decoder(100);
    std::string input;
    std::string body;
    State state = State::more;
    for (std::size_t at = 0; at < wire.size(); at += step) {
      input += wire.substr(at, step);
      if (state == State::more)
        state = decoder.consume(input, body);
    }
    CHECK(state == State::complete);
    CHECK(body == "hello 0123456789");
    CHECK(input == "NEXT");
  }
}

TEST_CASE("a chunk size that is no size ends the body") {
  for (const char* wire : {"-2\r\n", "FFFFFFFFFFFFFFFF\r\n", "\r\n", "g\r\n", "5\n", "0x5\r\n",
                           "1\r\nab\r\n", "1\r\na\n\r\n", " \r\n"}) {
    CAPTURE(wire);
    std::string input = wire;
    std::string body;
    CHECK(ChunkedDecoder(100).consume(input, body) == State::malformed);
  }
}

TEST_CASE("neither data, nor a chunk line, nor trailers go beyond their caps") {
  std::string body;
  std::string input = "65\r\n";
  CHECK(ChunkedDecoder(100).consume(input, body) == State::too_large);
  CHECK(body.empty());
  input = std::string(300, '1');
  CHECK(ChunkedDecoder(100).consume(input, body) == State::malformed);
  input = "0\r\n";
  for (int i = 0; i < 100; ++i)
    input += "X: " + std::string(100, 'y') + "\r\n";
  CHECK(ChunkedDecoder(100).consume(input, body) == State::malformed);
}
