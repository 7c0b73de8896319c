#include "net/exchange.hpp"

#include <httplib.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "net/message_rules.hpp"

namespace keyherd::net {

namespace {

constexpr std::size_t kMaxHead = 65'536;
constexpr std::size_t kBufferSize = 16'384;

// What httplib reads from and writes to: the Link under its bounds, with a cap on the head and on
// the whole answer as it came over the wire (chunk sizes and trailers have no cap of their own).
class LinkStream final : public httplib::Stream {
 public:
  LinkStream(Link& link, const Bounds& bounds, const HttpRequest& request)
      : link_(link),
        bounds_(bounds),
        read_timeout_(request.read_timeout),
        left_(kMaxHead),
        after_head_(8 * request.max_response_bytes + kMaxHead) {}

  [[nodiscard]] bool is_readable() const override { return true; }
  [[nodiscard]] bool is_writable() const override { return true; }
  [[nodiscard]] socket_t socket() const override { return INVALID_SOCKET; }
  void get_remote_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}

  // Kept until the first read, so that head and body leave in one segment.
  ssize_t write(const char* data, std::size_t size) override {
    unsent_.append(data, size);
    return static_cast<ssize_t>(size);
  }

  ssize_t read(char* data, std::size_t size) override {
    if (ended_)
      return 0;
    if (left_ == 0) {
      failure_ =
          Error{ErrorCode::too_large, "reading from " + link_.peer() +
                                          (after_head_ > 0 ? ": the answer's headers exceed "
                                                             "65536 bytes"
                                                           : ": the answer's framing exceeds "
                                                             "eight times its cap")};
    }
    if (failure_ || !flush() || (position_ == filled_ && !fill()))
      return -1;
    const std::size_t count = std::min({size, filled_ - position_, left_});
    std::copy_n(buffer_.data() + position_, count, data);
    position_ += count;
    left_ -= count;
    return static_cast<ssize_t>(count);
  }

  void head_is_read() { left_ = std::exchange(after_head_, 0); }
  // No body follows, whatever the headers say.
  void end_here() { ended_ = true; }

  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  [[nodiscard]] bool nothing_received() const { return nothing_received_; }
  [[nodiscard]] bool nothing_sent() const { return nothing_sent_; }
  [[nodiscard]] bool is_drained() const { return position_ == filled_ && !closed_; }

 private:
  bool flush() {
    if (unsent_.empty())
      return true;
    const std::string bytes = std::exchange(unsent_, {});
    if (auto written = link_.write(bytes, bounds_); !written) {
      failure_ = std::move(written).error();
      return false;
    }
    nothing_sent_ = false;
    return true;
  }

  bool fill() {
    Bounds reading = bounds_;
    if (read_timeout_.count() > 0)
      reading.deadline =
          std::min(bounds_.deadline, std::chrono::steady_clock::now() + read_timeout_);
    auto count = link_.read(buffer_, reading);
    if (!count) {
      failure_ = std::move(count).error();
      return false;
    }
    position_ = 0;
    filled_ = *count;
    closed_ = *count == 0;
    if (*count > 0)
      nothing_received_ = false;
    return true;
  }

  Link& link_;
  const Bounds& bounds_;
  const std::chrono::milliseconds read_timeout_;
  std::size_t left_;        // bytes httplib may still read
  std::size_t after_head_;  // what left_ becomes with the body
  std::string unsent_;
  std::array<char, kBufferSize> buffer_{};
  std::size_t position_ = 0;
  std::size_t filled_ = 0;
  std::optional<Error> failure_;
  bool nothing_sent_ = true;
  bool nothing_received_ = true;
  bool closed_ = false;
  bool ended_ = false;
};

// httplib's client without its sockets: only what writes a request and reads an answer, which never
// follows a redirect.
class Wire final : public httplib::ClientImpl {
 public:
  Wire(const std::string& host, int port) : ClientImpl(host, port) {
    set_url_encode(false);  // parse_url has checked the target; it is sent as it stands
  }
  bool run(httplib::Stream& stream, httplib::Request& request, httplib::Response& response,
           httplib::Error& error) {
    return process_request(stream, request, response, /*close_connection=*/false, error);
  }
};

httplib::Request wire_request(const UrlParts& url, const HttpRequest& request,
                              const std::vector<std::pair<std::string, std::string>>& headers) {
  httplib::Request wire;
  wire.method = request.method;
  wire.path = url.target;
  wire.body = request.body;
  for (const auto& [name, value] : headers)
    wire.headers.emplace(name, value);
  return wire;
}

// Why httplib gave up, when the stream itself had not failed.
Error describe(httplib::Error error, const std::string& peer) {
  const std::string doing = "reading from " + peer;
  switch (error) {
    case httplib::Error::Canceled:
      return {ErrorCode::too_large, doing + ": the answer exceeds its cap"};
    case httplib::Error::Read:
    case httplib::Error::Success:
    case httplib::Error::Unknown:
      return {ErrorCode::unavailable,
              doing + ": the answer ended early or is not HTTP as it should be"};
    case httplib::Error::Write:
    case httplib::Error::Connection:
      return {ErrorCode::unavailable, "sending to " + peer + ": the connection was closed"};
    case httplib::Error::ConnectionTimeout:
      return {ErrorCode::timeout, doing + ": the deadline passed"};
    case httplib::Error::BindIPAddress:
    case httplib::Error::ExceedRedirectCount:
    case httplib::Error::SSLConnection:
    case httplib::Error::SSLLoadingCerts:
    case httplib::Error::SSLServerVerification:
    case httplib::Error::UnsupportedMultipartBoundaryChars:
    case httplib::Error::Compression:
      break;
  }
  return {ErrorCode::internal, doing + ": httplib reports " + httplib::to_string(error)};
}

// httplib percent-decodes the values it reads: a line break may have come to life in one.
HttpResponse to_response(httplib::Response& wire, std::string body) {
  HttpResponse response;
  response.status = wire.status;
  response.body = std::move(body);
  for (const auto& [name, value] : wire.headers)
    response.headers.emplace(to_lower(name), without_controls(value));
  return response;
}

// The answer ended where its own framing says, and nobody asked to close.
bool leaves_connection_open(const HttpResponse& response, const httplib::Response& wire,
                            const std::string& method) {
  const bool bodiless = wire.status == 204 || wire.status == 304 || method == "HEAD";
  const bool framed = bodiless || response.headers.count("content-length") == 1 ||
                      has_option(response.header("transfer-encoding"), "chunked");
  return wire.version == "HTTP/1.1" && wire.status >= 200 && framed &&
         !has_option(response.header("connection"), "close");
}

}  // namespace

ExchangeOutcome exchange(Link& link, const UrlParts& url, const HttpRequest& request,
                         const std::vector<std::pair<std::string, std::string>>& headers,
                         const Bounds& bounds) {
  LinkStream stream(link, bounds, request);
  httplib::Request wire = wire_request(url, request, headers);
  httplib::Response answer;
  std::string body;
  std::size_t received = 0;
  bool hands_on = false;
  wire.response_handler = [&](const httplib::Response& head) {
    stream.head_is_read();
    hands_on = request.on_body && head.status >= 200 && head.status < 300;
    if (head.status == 304 || head.status < 200)
      stream.end_here();
    return true;
  };
  wire.content_receiver = [&](const char* data, std::size_t size, std::uint64_t, std::uint64_t) {
    if (size > request.max_response_bytes - received)
      return false;
    received += size;
    if (hands_on)
      request.on_body(std::string_view(data, size));
    else
      body.append(data, size);
    return true;
  };
  httplib::Error error = httplib::Error::Success;
  const bool complete = Wire(url.host, url.port).run(stream, wire, answer, error);
  ExchangeOutcome outcome{fail(ErrorCode::internal, ""), false, stream.nothing_sent(),
                          stream.nothing_received()};
  if (!complete || stream.failure()) {
    outcome.response = fail(stream.failure() ? *stream.failure() : describe(error, link.peer()));
    return outcome;
  }
  HttpResponse response = to_response(answer, std::move(body));
  outcome.reusable =
      stream.is_drained() && leaves_connection_open(response, answer, request.method);
  outcome.response = std::move(response);
  return outcome;
}

}  // namespace keyherd::net
