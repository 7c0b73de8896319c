#include "http_fixture.hpp"

#include <new>
#include <stdexcept>

#include "raw_peer.hpp"

namespace keyherd::test {

using net::ServerRequest;
using net::ServerResponse;

ServerResponse text_response(std::string body) {
  ServerResponse response;
  response.content_type = "text/plain";
  response.body = std::move(body);
  return response;
}

std::string request_text(const std::string& first_line, const std::string& lines,
                         const std::string& body) {
  return first_line + "\r\nHost: localhost\r\n" + lines + "\r\n" + body;
}

HttpFixture::HttpFixture() {
  const auto add = [this](const char* method, const char* pattern, std::size_t cap,
                          net::Handler handler) {
    routes.push_back(net::Route{method, pattern, cap, counted(std::move(handler))});
  };
  add("GET", "/hello", 0, [](const ServerRequest&) { return text_response("hello"); });
  add("POST", "/echo", 1U << 20U,
      [](const ServerRequest& request) { return text_response(request.body); });
  add("GET", "/keys/{id}", 0,
      [](const ServerRequest& request) { return text_response(request.captures.at(0)); });
  add("GET", "/throw", 0, [](const ServerRequest& request) -> net::Answer {
    if (request.parameter("what") == "int")
      throw 42;
    if (request.parameter("what") == "memory")
      throw std::bad_alloc();
    throw std::runtime_error("bad key sk-SECRET123");
  });
  add("GET", "/big", 0,
      [](const ServerRequest&) { return text_response(std::string(8U << 20U, 'x')); });
  add("GET", "/block", 0, [this](const ServerRequest&) {
    ++blocked_;
    eventually([this] { return released_.load(); });
    return text_response("released");
  });
  options.observe = [this](std::string_view pattern, std::string_view method, int status,
                           std::chrono::nanoseconds) {
    const std::lock_guard lock(mutex_);
    observed_.push_back({std::string(pattern), std::string(method), status});
  };
}

net::Handler HttpFixture::counted(net::Handler handler) {
  return [this, inner = std::move(handler)](const ServerRequest& request) {
    ++handled_;
    {
      const std::lock_guard lock(mutex_);
      last_ = request;
    }
    return inner(request);
  };
}

void HttpFixture::start() {
  auto started = net::start_server(options, routes);
  if (!started)
    throw std::runtime_error(started.error().message);
  server = std::move(*started);
}

std::vector<Observed> HttpFixture::observed() const {
  const std::lock_guard lock(mutex_);
  return observed_;
}

ServerRequest HttpFixture::last_request() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

}  // namespace keyherd::test
