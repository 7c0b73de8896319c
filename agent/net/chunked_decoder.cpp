#include "net/chunked_decoder.hpp"

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace keyherd::net {

namespace {

constexpr std::size_t kMaxLine = 256;
constexpr std::size_t kMaxTrailer = 4096;
constexpr std::size_t kMaxSizeDigits = 15;

}  // namespace

ChunkedDecoder::State ChunkedDecoder::consume(std::string& input, std::string& body) {
  std::string_view rest = input;
  while (state_ == State::more && step(rest, body)) {
  }
  input.erase(0, input.size() - rest.size());
  return state_;
}

bool ChunkedDecoder::step(std::string_view& input, std::string& body) {
  if (part_ == Part::data)
    return copy_data(input, body);
  const auto end = input.find('\n');
  if (std::min(end, input.size()) > kMaxLine)
    return finish(State::malformed);
  if (end == std::string_view::npos)
    return false;
  if (end == 0 || input[end - 1] != '\r')
    return finish(State::malformed);
  const std::string_view line = input.substr(0, end - 1);
  input.remove_prefix(end + 1);
  if (part_ == Part::size)
    return read_size(line);
  if (part_ == Part::data_end) {
    part_ = Part::size;
    return line.empty() || finish(State::malformed);
  }
  trailer_bytes_ += line.size() + 2;
  if (line.empty())
    return finish(State::complete);
  return trailer_bytes_ <= kMaxTrailer || finish(State::malformed);
}

bool ChunkedDecoder::read_size(std::string_view line) {
  const std::string_view digits = trim(line.substr(0, line.find(';')));
  const char* const end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, left_, 16);
  if (digits.empty() || digits.size() > kMaxSizeDigits || parsed.ptr != end ||
      parsed.ec != std::errc())
    return finish(State::malformed);
  part_ = left_ == 0 ? Part::trailer : Part::data;
  return true;
}

bool ChunkedDecoder::copy_data(std::string_view& input, std::string& body) {
  if (left_ > max_body_ - body.size())
    return finish(State::too_large);
  const auto count = std::min<std::uint64_t>(left_, input.size());
  body.append(input.data(), count);
  input.remove_prefix(count);
  left_ -= count;
  if (left_ == 0)
    part_ = Part::data_end;
  return left_ == 0;
}

bool ChunkedDecoder::finish(State state) {
  state_ = state;
  return false;
}

}  // namespace keyherd::net
