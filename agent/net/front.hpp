#pragma once

// The front: one thread that accepts, reads whole requests, hands them to the workers, parks those
// that wait, and writes answers. Nothing in it blocks; every connection has a deadline in every
// phase but the one that belongs to a worker.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/mutex.hpp"
#include "net/client.hpp"
#include "net/listener.hpp"
#include "net/route_table.hpp"
#include "net/server.hpp"
#include "net/workers.hpp"

namespace keyherd::net {

class Front {
 public:
  // Takes a whole request; false when too many wait.
  using Submit = std::function<bool(Job)>;

  // Error: unavailable or no_space when the system has no descriptor left. options and routes
  // outlive the front.
  static Result<std::unique_ptr<Front>> make(Listener listener, const ServerOptions& options,
                                             const RouteTable& routes);

  // Runs until stop() and until what was in flight is answered (at most 1.5 s).
  void run(const Submit& submit);

  // These three from any thread.
  void deliver(std::uint64_t client, std::variant<Answer, Piece> made) KH_EXCLUDES(mutex_);
  void wake();
  void stop();

 private:
  static constexpr std::uint64_t kListenerId = 0;
  static constexpr std::uint64_t kWakeUpId = 1;
  static constexpr std::uint64_t kFirstClientId = 2;
  using Clients = std::unordered_map<std::uint64_t, std::unique_ptr<Client>>;

  Front(const ServerOptions& options, const RouteTable& routes)
      : options_(options), routes_(routes) {}

  // One round of the loop.
  void wait_and_handle();
  void handle_event(std::uint64_t id, unsigned events);
  void handle_deadlines();
  void handle_made() KH_EXCLUDES(mutex_);
  void take_answer(Client& client, Answer answer);
  void poll_waiting();
  void forget_closed();
  void begin_stopping();
  [[nodiscard]] bool is_stopping() const { return stop_by_ != SteadyTime::max(); }

  void accept_clients();
  void add_client(Fd socket, std::string peer);
  bool make_room();
  void turn_away(Channel channel);
  void continue_handshake(Client& client);
  void limit_handshakes();
  void accept_later();

  void read_some(Client& client);
  void advance(Client& client);
  void await_bytes(Client& client);
  // These four: true when the client can go on with its next request at once.
  bool dispatch(Client& client);
  bool refuse(Client& client, const Refusal& refusal, bool keep_alive);
  bool respond(Client& client, ServerResponse response, bool keep_alive);
  bool write_on(Client& client);
  void finish(Client& client);
  // Of a body that is made while it is sent.
  void want_piece(Client& client);
  void take_piece(Client& client, Piece piece);
  bool go_to_next_piece(Client& client);
  void report(const Client& client, int status) const;
  void park(Client& client, Park park);
  void poll_one(Client& client);
  [[nodiscard]] bool may_wait() const;
  // Of a feed: sends what there is, waits for more.
  void feed_more(Client& client, bool quiet);
  void end_feed(Client& client);
  void expire(Client& client);

  void enter(Client& client, Client::Phase phase, SteadyTime deadline);
  bool add_to_epoll(int fd, unsigned events, std::uint64_t id);
  void watch(Client& client, unsigned events);
  void close(Client& client);
  void hold(Client& client, std::size_t bytes);

  const ServerOptions& options_;
  const RouteTable& routes_;
  Listener listener_;
  Fd epoll_;
  Fd wake_up_;
  const Submit* submit_ = nullptr;
  Clients clients_;
  std::uint64_t next_id_ = 0;
  std::set<std::pair<SteadyTime, std::uint64_t>> deadlines_;
  std::set<std::uint64_t> parked_;
  std::size_t long_waits_ = 0;     // of the parked
  std::set<std::uint64_t> feeds_;  // also while a piece is being written
  // By age: ids only grow.
  std::set<std::uint64_t> handshaking_;
  int handshake_steps_ = 0;  // in this round
  std::vector<std::uint64_t> closed_;
  std::vector<char> scratch_;
  std::size_t held_bytes_ = 0;
  std::size_t unsent_bytes_ = 0;
  SteadyTime now_;
  SteadyTime accept_again_ = SteadyTime::max();  // when accepting is paused
  SteadyTime stop_by_ = SteadyTime::max();

  std::atomic<bool> stop_requested_ = false;
  std::atomic<bool> poll_requested_ = false;
  Mutex mutex_;
  std::vector<std::pair<std::uint64_t, std::variant<Answer, Piece>>> made_ KH_GUARDED_BY(mutex_);
};

}  // namespace keyherd::net
