#pragma once

// One accepted connection as the front sees it: its phase, its deadline, and what is still to be
// written. Only the front's thread touches it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "net/channel.hpp"
#include "net/request_reader.hpp"

namespace keyherd::net {

struct Client {
  enum class Phase {
    handshaking,  // TLS
    idle,         // between requests
    reading_head,
    reading_body,
    working,   // a worker has the request
    parked,    // its handler waits for something to happen
    feeding,   // between two pieces of a feed
    writing,   // the answer does not fit into the socket's buffer
    draining,  // answered; what still comes is thrown away, so that no reset eats the answer
  };

  Client(std::uint64_t number, Channel connection, std::string address, RequestReader requests)
      : id(number),
        channel(std::move(connection)),
        peer(std::move(address)),
        reader(std::move(requests)) {}

  std::uint64_t id;
  Channel channel;
  std::string peer;
  RequestReader reader;
  Phase phase = Phase::idle;
  bool closed = false;  // to be forgotten at the end of the front's round
  unsigned events = 0;  // what epoll watches
  SteadyTime since;     // when the phase began
  SteadyTime deadline = SteadyTime::max();
  SteadyTime dispatched;  // when the request was whole
  std::optional<Park> park;
  std::string answer_head;
  std::string answer_body;
  std::size_t written = 0;  // of both
  // Of an answer whose body is made while it is sent: who makes it, until the last piece is here.
  std::shared_ptr<BodyStream> stream;
  std::string next_piece;  // follows answer_body
  std::shared_ptr<Feed> feed;
  bool close_after = false;
  std::size_t held = 0;  // bytes of its request, as counted by the front

  [[nodiscard]] std::size_t unsent() const {
    return answer_head.size() + answer_body.size() - written;
  }
};

// Whom to close first (the lowest) when there is no room for a new client: those who hold a
// connection without a request of theirs being in work. Nothing for the others.
std::optional<int> eviction_rank(const Client& client);
// Sends what the socket takes without waiting. False when the connection is broken.
bool send_some(Client& client);

}  // namespace keyherd::net
