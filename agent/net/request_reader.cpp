#include "net/request_reader.hpp"

#include <algorithm>

#include "net/request_target.hpp"

namespace keyherd::net {

RequestReader::Progress RequestReader::advance() {
  switch (part_) {
    case Part::head:
      return read_head();
    case Part::sized_body:
      return read_sized_body();
    case Part::chunked_body:
      return read_chunked_body();
    case Part::done:
      break;
  }
  return Progress::complete;
}

void RequestReader::next() {
  RequestReader fresh(*routes_, max_head_bytes_);
  fresh.buffer_ = std::move(buffer_);
  *this = std::move(fresh);
}

void RequestReader::discard() {
  buffer_ = std::string();
  request_.body = std::string();
}

OrRefusal<std::optional<std::size_t>> RequestReader::find_head_end() {
  while (scanned_ < buffer_.size()) {
    const auto end = buffer_.find('\n', scanned_);
    scanned_ = std::min(end, buffer_.size() - 1) + 1;
    if (scanned_ > max_head_bytes_)
      return refuse(431, "headers_too_large", "the head of the request is too large");
    if (end == std::string::npos)
      break;
    if (end == 0 || buffer_[end - 1] != '\r')
      return refuse(400, "bad_request", "lines must end with CR LF");
    const bool is_empty = end - line_start_ == 1;
    if (is_empty && line_start_ > 0)
      return line_start_;
    if (is_empty) {
      // An empty line before a request, as some clients send after a body, is skipped.
      buffer_.erase(0, 2);
      scanned_ = 0;
      continue;
    }
    line_start_ = end + 1;
  }
  return std::nullopt;
}

RequestReader::Progress RequestReader::read_head() {
  const auto end = find_head_end();
  if (!end)
    return refused(end.error(), false);
  if (!*end)
    return Progress::more;
  const std::string text = buffer_.substr(0, **end);
  buffer_.erase(0, **end + 2);
  return start_request(text);
}

RequestReader::Progress RequestReader::start_request(std::string_view text) {
  auto head = parse_head(text);
  if (!head)
    return refused(head.error(), false);
  head_ = std::move(*head);
  request_.method = head_.method;
  auto target = parse_target(head_.target);
  if (!target)
    return refused(target.error(), false);
  match_ = routes_->match(head_.method, target->segments);
  request_.path = std::move(target->path);
  request_.query = std::move(target->query);
  request_.headers = std::move(head_.headers);
  request_.captures = std::move(match_.captures);
  return start_body();
}

RequestReader::Progress RequestReader::start_body() {
  // A refused body stays unread, and its bytes must never be taken for the next request.
  const bool bodiless = !head_.has_body();
  if (match_.route == nullptr && match_.allowed.empty())
    return refused({404, "not_found", "there is nothing at this path"}, bodiless);
  if (match_.route == nullptr)
    return refused({405, "method_not_allowed", "this path does not take this method"}, bodiless);
  const std::size_t cap = match_.route->max_body_bytes;
  if (head_.content_length.value_or(0) > cap || (head_.chunked && cap == 0))
    return refused({413, "too_large", "the body exceeds what this path takes"}, false);
  if (head_.chunked)
    chunks_.emplace(cap);
  part_ = head_.chunked ? Part::chunked_body : Part::sized_body;
  if (head_.expects_continue && !bodiless && buffer_.empty())
    return Progress::expects_continue;
  return advance();
}

RequestReader::Progress RequestReader::read_sized_body() {
  const std::size_t wanted = head_.content_length.value_or(0) - request_.body.size();
  const std::size_t count = std::min(wanted, buffer_.size());
  request_.body.append(buffer_, 0, count);
  buffer_.erase(0, count);
  if (count < wanted)
    return Progress::more;
  part_ = Part::done;
  return Progress::complete;
}

RequestReader::Progress RequestReader::read_chunked_body() {
  switch (chunks_->consume(buffer_, request_.body)) {
    case ChunkedDecoder::State::more:
      return Progress::more;
    case ChunkedDecoder::State::complete:
      part_ = Part::done;
      return Progress::complete;
    case ChunkedDecoder::State::malformed:
      return refused({400, "bad_request", "the chunked body is malformed"}, false);
    case ChunkedDecoder::State::too_large:
      break;
  }
  return refused({413, "too_large", "the body exceeds what this path takes"}, false);
}

RequestReader::Progress RequestReader::refused(const Refusal& refusal, bool can_continue) {
  refusal_ = refusal;
  can_continue_ = can_continue;
  return Progress::refused;
}

}  // namespace keyherd::net
