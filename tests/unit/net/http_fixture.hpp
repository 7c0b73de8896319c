#pragma once

// A server under test and what its owner saw.

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "net/server.hpp"

namespace keyherd::test {

struct Observed {
  std::string pattern;
  std::string method;
  int status = 0;
};

// Routes: GET /hello, POST /echo (1 MiB), GET /keys/{id}, GET /throw, GET /big (8 MiB), GET /block
// (waits until release()). Everything may be changed before start().
class HttpFixture {
 public:
  HttpFixture();
  // Its handlers use what is below: the server goes first.
  ~HttpFixture() { server.reset(); }
  HttpFixture(const HttpFixture&) = delete;
  HttpFixture& operator=(const HttpFixture&) = delete;

  void start();
  [[nodiscard]] int port() const { return server->port(); }
  void release() { released_ = true; }
  [[nodiscard]] int blocked() const { return blocked_; }
  [[nodiscard]] int handled() const { return handled_; }
  [[nodiscard]] std::vector<Observed> observed() const;
  [[nodiscard]] net::ServerRequest last_request() const;

  net::ServerOptions options;
  std::vector<net::Route> routes;
  std::unique_ptr<net::Server> server;

 private:
  net::Handler counted(net::Handler handler);

  mutable std::mutex mutex_;
  std::vector<Observed> observed_;
  net::ServerRequest last_;
  std::atomic<bool> released_ = false;
  std::atomic<int> blocked_ = 0;
  std::atomic<int> handled_ = 0;
};

net::ServerResponse text_response(std::string body);
// "GET /hello HTTP/1.1" with a Host header and these lines (each with its CR LF).
std::string request_text(const std::string& first_line, const std::string& lines = "",
                         const std::string& body = "");

}  // namespace keyherd::test
