#pragma once

// A chunked body (RFC 9112, section 7.1), decoded as it comes. Chunk lines and trailers are
// bounded; extensions and trailers are skipped. Pure.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace keyherd::net {

class ChunkedDecoder {
 public:
  enum class State { more, complete, malformed, too_large };

  explicit ChunkedDecoder(std::size_t max_body) : max_body_(max_body) {}

  // Takes from the front of `input` what belongs to the body and appends its content to `body`.
  // What follows a complete body stays in `input`.
  State consume(std::string& input, std::string& body);

 private:
  enum class Part { size, data, data_end, trailer };
  // One step on input; false when more bytes are needed or state_ is final.
  bool step(std::string_view& input, std::string& body);
  bool read_size(std::string_view line);
  bool copy_data(std::string_view& input, std::string& body);
  bool finish(State state);

  std::size_t max_body_;
  Part part_ = Part::size;
  State state_ = State::more;
  std::uint64_t left_ = 0;  // of the current chunk
  std::size_t trailer_bytes_ = 0;
};

}  // namespace keyherd::net
