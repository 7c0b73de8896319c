#pragma once

// The HTTP server: a front of one thread (epoll) reads whole requests under caps and deadlines and
// parks the ones that wait; a few workers run handlers. Slow, huge and half-open clients cost
// neither a worker nor memory.

#include <any>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/tls_server.hpp"

namespace keyherd::net {

struct ServerRequest {
  std::string method;
  std::string path;                   // decoded, without the query
  std::vector<std::string> captures;  // the {…} parts of the route, decoded
  std::multimap<std::string, std::string> query;
  std::multimap<std::string, std::string> headers;  // names in lower case, values as sent
  std::string body;
  std::string peer;  // address without port
  std::any caller;   // who is asking, as the guard found out

  [[nodiscard]] std::string_view header(const std::string& name) const;
  [[nodiscard]] std::optional<std::string> parameter(const std::string& name) const;
};

// A body that is made while it is sent, so that it is never held whole: a piece at a time, each
// when the client has taken the one before the last.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // Appends the next piece. False when that was the last one. Called on a worker, one call at a
  // time; what it throws ends the connection, so that the client sees that the answer is not whole.
  virtual bool next(std::string& piece) = 0;
};

// A body without an end in sight, whose pieces come when something happens: between them the
// connection waits in the front, without a thread.
class Feed {
 public:
  virtual ~Feed() = default;
  // Writes into `piece`, which is empty, what there is to send by now, at most about 64 KiB; the
  // front asks again when that is sent, and at each wake(). With `quiet` nothing was sent for
  // ServerOptions::alive_every: then something that shows that the connection lives. False: that
  // was all. Called on the front's thread: quick, never blocking; what it throws ends the
  // connection.
  virtual bool next(std::string& piece, bool quiet) = 0;
};

struct ServerResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  // Closes the connection without an answer: for servers that play broken ones.
  bool hang_up = false;
  std::shared_ptr<BodyStream> stream;  // if set, it makes the body
  std::shared_ptr<Feed> feed;          // the same
};

// A handler that cannot answer yet returns a Park: the connection waits in the front, without a
// thread, until poll() gives an answer or the deadline passes. poll runs on the front's thread, so
// it must be quick and never block; wake() (below) makes the front call it soon.
struct Park {
  std::chrono::steady_clock::time_point deadline;
  std::function<std::optional<ServerResponse>()> poll;
  std::function<ServerResponse()> at_deadline;
  // What it waits for may not come for long: it counts as a waiting client (max_waiting). Others
  // are bounded by the connections alone.
  bool long_wait = false;
};

// Exactly one of the two is set.
struct Answer {
  std::optional<ServerResponse> response;
  std::optional<Park> park;
  Answer(ServerResponse ready) : response(std::move(ready)) {}  // NOLINT: a handler returns either
  Answer(Park waiting) : park(std::move(waiting)) {}            // NOLINT
};

using Handler = std::function<Answer(const ServerRequest&)>;

// What the guard says of a request before its handler sees it.
struct Admission {
  enum class Kind {
    admitted,
    refused,    // `refusal` is the answer
    undecided,  // to find out takes long: the guard is called again where it may take its time
  };
  Kind kind = Kind::admitted;
  ServerResponse refusal{};
};

struct Route {
  std::string method;
  std::string pattern;  // "/api/v1/keys/{id}/explain"
  std::size_t max_body_bytes = 0;
  Handler handler;
};

struct ServerOptions {
  std::string address = "127.0.0.1";
  int port = 0;  // 0: any free port
  int workers = 4;
  std::size_t max_connections = 1024;
  // The certificate for connections from now on, asked for at each; null: plain text. Called on
  // the front's thread.
  std::function<std::shared_ptr<const TlsServer>()> tls;
  // Clients that wait for news, with a Park of long_wait or a feed; beyond them: 503.
  std::size_t max_waiting = 512;
  std::size_t max_handshakes = 256;  // under way; beyond them the oldest is given up
  std::size_t max_head_bytes = 32'768;
  std::size_t queue_limit = 256;  // whole requests waiting for a worker; beyond it: 503
  // Of all connections together; beyond them: 503.
  std::size_t max_held_bytes = 64U << 20U;     // requests that are being read or handled
  std::size_t max_unsent_bytes = 256U << 20U;  // answers that clients have not taken yet
  std::chrono::milliseconds handshake_deadline{5'000};
  std::chrono::milliseconds head_deadline{5'000};
  std::chrono::milliseconds body_deadline{30'000};
  std::chrono::milliseconds idle_timeout{15'000};
  std::chrono::milliseconds write_deadline{30'000};
  std::chrono::milliseconds alive_every{15'000};  // of feeds
  // Called first for each request, on a worker (authentication). With may_take_long it is on a
  // thread of its own, where a tenth of a second delays none but those who wait there too, and must
  // decide.
  std::function<Admission(ServerRequest&, const Route&, bool may_take_long)> guard;
  std::size_t undecided_limit = 32;  // requests that wait for that thread; beyond them: 503
  // On every answer that does not say otherwise.
  std::vector<std::pair<std::string, std::string>> headers;
  // For routes that do not exist (404), methods that do not (405), and refused requests.
  std::function<ServerResponse(int status, std::string_view code, std::string_view message)>
      error_body;
  // After each answer: route pattern ("" if none), method, status, duration.
  std::function<void(std::string_view, std::string_view, int, std::chrono::nanoseconds)> observe;
};

class Server {
 public:
  virtual ~Server() = default;  // stops
  [[nodiscard]] virtual int port() const = 0;
  // Makes the front ask every parked request and every feed again. Any thread; cheap.
  virtual void wake() = 0;
  // Stops accepting, answers what is in flight, closes: within 2 s. Idempotent.
  virtual void stop() = 0;
};

// Binds and starts. Errors: conflict (address in use), denied, invalid (not an address).
Result<std::unique_ptr<Server>> start_server(ServerOptions options, std::vector<Route> routes);

}  // namespace keyherd::net
