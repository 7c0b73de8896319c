#pragma once

// Bytes of one connection in, whole requests out, under the caps. No socket, no clock: the front
// feeds it and keeps the deadlines. One thread.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "net/chunked_decoder.hpp"
#include "net/http_head.hpp"
#include "net/route_table.hpp"
#include "net/server.hpp"

namespace keyherd::net {

class RequestReader {
 public:
  enum class Progress {
    more,              // bytes are missing
    expects_continue,  // the client waits for "100 Continue"; then call advance() again
    complete,          // request() and route() are there
    refused,           // refusal() is there
  };

  // routes outlives this object.
  RequestReader(const RouteTable& routes, std::size_t max_head_bytes)
      : routes_(&routes), max_head_bytes_(max_head_bytes) {}

  void append(std::string_view bytes) { buffer_.append(bytes); }
  Progress advance();
  // Forgets the current request and starts on what follows it.
  void next();

  // Frees what is held of a request that will not be read to its end.
  void discard();

  // Nothing of a request has come yet.
  [[nodiscard]] bool is_idle() const { return part_ == Part::head && buffer_.empty(); }
  [[nodiscard]] bool in_body() const { return part_ != Part::head; }
  [[nodiscard]] std::size_t held_bytes() const { return buffer_.size() + request_.body.size(); }

  // What is known of the request so far; the method is empty before the head is read.
  [[nodiscard]] ServerRequest& request() { return request_; }
  [[nodiscard]] const Route* route() const { return match_.route; }
  [[nodiscard]] const RequestHead& head() const { return head_; }
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }
  [[nodiscard]] const std::string& allowed_methods() const { return match_.allowed; }
  // The connection can carry another request after this one's answer.
  [[nodiscard]] bool can_continue() const { return can_continue_ && head_.keep_alive; }

 private:
  enum class Part { head, sized_body, chunked_body, done };

  Progress read_head();
  Progress start_request(std::string_view text);
  Progress start_body();
  Progress read_sized_body();
  Progress read_chunked_body();
  Progress refused(const Refusal& refusal, bool can_continue);
  // Where the empty line after the head begins, once it is there.
  OrRefusal<std::optional<std::size_t>> find_head_end();

  const RouteTable* routes_;
  std::size_t max_head_bytes_;
  std::string buffer_;
  std::size_t scanned_ = 0;     // of buffer_, for line ends
  std::size_t line_start_ = 0;  // of the line being scanned
  Part part_ = Part::head;
  RequestHead head_;
  RouteMatch match_;
  std::optional<ChunkedDecoder> chunks_;
  ServerRequest request_;
  Refusal refusal_;
  bool can_continue_ = true;
};

}  // namespace keyherd::net
