#pragma once

// The threads that run handlers. They take whole requests from a bounded queue and give answers
// back; they never touch a connection.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "base/bounded_queue.hpp"
#include "net/server.hpp"

namespace keyherd::net {

// A request to be handled or, with `stream`, a piece of an answer's body to be made.
struct Job {
  std::uint64_t connection = 0;
  const Route* route = nullptr;
  ServerRequest request;
  bool chunked = false;  // pieces are framed as chunks
  std::shared_ptr<BodyStream> stream;
};

// The next piece of a body, framed.
struct Piece {
  std::string bytes;
  bool is_last = false;
  bool failed = false;
};

// Calls a function of the server's owner; what it throws becomes an answer 500 without its text.
Answer call_guarded(const std::function<Answer()>& function, const ServerOptions& options);

// options.error_body, or the default form when there is none.
ServerResponse error_answer(const ServerOptions& options, int status, std::string_view code,
                            std::string_view message);

// Asks a feed; what it throws is a piece that failed.
Piece next_of_feed(Feed& feed, bool chunked, bool quiet);

// 503, and when to come back.
ServerResponse overloaded(const ServerOptions& options, std::string_view message);

class Workers {
 public:
  // deliver is called on the worker's thread, once for each job taken. options outlives this
  // object.
  using Deliver = std::function<void(std::uint64_t connection, std::variant<Answer, Piece> made)>;
  Workers(const ServerOptions& options, Deliver deliver);
  ~Workers() { stop(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // False when queue_limit jobs wait already.
  [[nodiscard]] bool submit(Job job) { return queue_.try_push(std::move(job)); }
  // Waits for the handlers that run; jobs that still wait are dropped.
  void stop();

 private:
  void start_thread(BoundedQueue<Job>& queue, const char* name);
  void run(BoundedQueue<Job>& queue, const std::stop_token& stop);
  void handle(Job job, bool may_take_long);
  // Nothing while the guard cannot decide yet.
  [[nodiscard]] std::optional<Answer> answer(Job& job, bool may_take_long) const;

  const ServerOptions& options_;
  Deliver deliver_;
  BoundedQueue<Job> queue_;
  BoundedQueue<Job> undecided_;
  std::vector<std::jthread> threads_;
};

}  // namespace keyherd::net
