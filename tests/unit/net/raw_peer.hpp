#pragma once

// Both ends of HTTP by hand, for what a well-behaved library would never send: a server that plays
// a script on each connection, and a client that sends any bytes. Real sockets on loopback, free
// ports, every wait with a deadline.

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/fd.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace keyherd::test {

// A connection that the server accepted. Used by the script's thread.
class RawPeer {
 public:
  RawPeer(int socket, ssl_st* ssl, const std::atomic<bool>& stopping)
      : socket_(socket), ssl_(ssl), stopping_(stopping) {}

  // One request, head and body by Content-Length. "" when the client closed or the server stops.
  std::string read_request();
  // False when the client is gone.
  bool write(std::string_view bytes);
  // Waits that long; false when the client closed or the server stops.
  bool pause(std::chrono::milliseconds span);
  // Reads and sends nothing until the server stops.
  void hang() const;
  // Ends the connection with a reset.
  void reset();

 private:
  bool read_more();

  int socket_;
  ssl_st* ssl_;
  const std::atomic<bool>& stopping_;
  std::string buffer_;
};

class RawServer {
 public:
  using Script = std::function<void(RawPeer&)>;
  // With a TLS context (borrowed) the handshake comes before the script; a failed one skips it.
  explicit RawServer(Script script, ssl_ctx_st* tls = nullptr);
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url(std::string_view target = "/") const;
  [[nodiscard]] int connections() const { return connections_; }
  // Connections on which the script ran: with TLS, those with a completed handshake.
  [[nodiscard]] int scripts_run() const { return scripts_run_; }

 private:
  void accept_all();
  void serve(net::Fd socket);

  Script script_;
  ssl_ctx_st* tls_;
  net::Fd listener_;
  int port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0;
  std::atomic<int> scripts_run_ = 0;
  std::vector<std::jthread> peers_;  // of the accepting thread
  std::jthread acceptor_;
};

// A client of the server under test.
class RawClient {
 public:
  explicit RawClient(int port);

  // False when the server has reset or closed the connection.
  bool send(std::string_view bytes);
  void half_close();
  // One answer by its Content-Length; what came before the end or the deadline otherwise.
  std::string read_answer(bool head_request = false);
  // All until the server closes; `closed` says whether it did within five seconds.
  std::string read_to_end();
  [[nodiscard]] bool closed() const { return closed_; }
  void close() { socket_.reset(); }

 private:
  bool read_more(std::chrono::steady_clock::time_point deadline);

  net::Fd socket_;
  std::string buffer_;
  bool closed_ = false;
};

// Waits until the condition holds; false after five seconds.
bool eventually(const std::function<bool()>& condition);

// The status of an answer as text, 0 if it is none; and its body.
int status_of(std::string_view answer);
std::string body_of(std::string_view answer);

// Resident memory of this process now, in MiB; 0 under a sanitizer, whose own memory hides ours.
double resident_mib();

}  // namespace keyherd::test
