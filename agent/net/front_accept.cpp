// How the front takes clients in: accepting, making room, TLS handshakes.

#include <sys/epoll.h>

#include <cerrno>
#include <chrono>

#include "net/answer.hpp"
#include "net/front.hpp"

namespace keyherd::net {

namespace {

constexpr int kAcceptsPerRound = 64;
// A step may cost a millisecond of computing; what is left comes again in the next round.
constexpr int kHandshakeStepsPerRound = 4;
constexpr std::chrono::milliseconds kAcceptPause{50};

}  // namespace

void Front::accept_clients() {
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    Accepted accepted = accept_one(listener_);
    if (accepted.socket.valid())
      add_client(std::move(accepted.socket), std::move(accepted.peer));
    else if (accepted.error == EAGAIN)
      return;
    else if (accepted.error != EINTR && accepted.error != ECONNABORTED)
      return accept_later();
  }
}

// No descriptor or no memory is left: the waiting connection would wake the loop again at once.
void Front::accept_later() {
  make_room();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_.socket.get(), nullptr);
  accept_again_ = now_ + kAcceptPause;
}

void Front::add_client(Fd socket, std::string peer) {
  if (clients_.size() - closed_.size() >= options_.max_connections && !make_room())
    return turn_away(Channel(std::move(socket), nullptr));
  const std::uint64_t id = next_id_++;
  const auto tls = options_.tls ? options_.tls() : nullptr;
  auto session = tls ? tls->session(socket.get()) : Result<SslPtr>(nullptr);
  if (!session || !add_to_epoll(socket.get(), EPOLLIN, id))
    return;
  auto client =
      std::make_unique<Client>(id, Channel(std::move(socket), std::move(*session)), std::move(peer),
                               RequestReader(routes_, options_.max_head_bytes));
  client->events = EPOLLIN;
  if (tls)
    limit_handshakes();
  if (tls)
    enter(*client, Client::Phase::handshaking, now_ + options_.handshake_deadline);
  else
    enter(*client, Client::Phase::idle, now_ + options_.head_deadline);
  clients_.emplace(id, std::move(client));
}

// A client that means it is through in a few milliseconds: the oldest do not.
void Front::limit_handshakes() {
  while (!handshaking_.empty() && handshaking_.size() >= options_.max_handshakes)
    close(*clients_.at(*handshaking_.begin()));
}

void Front::continue_handshake(Client& client) {
  if (++handshake_steps_ > kHandshakeStepsPerRound)
    return;  // its bytes are still in the socket: epoll will tell again
  switch (client.channel.handshake()) {
    case Channel::Handshake::done:
      enter(client, Client::Phase::idle, now_ + options_.head_deadline);
      return watch(client, EPOLLIN);
    case Channel::Handshake::wants_read:
      return watch(client, EPOLLIN);
    case Channel::Handshake::wants_write:
      return watch(client, EPOLLOUT);
    case Channel::Handshake::plain_http:
      client.channel.abandon_tls();
      client.dispatched = now_;
      refuse(client, {400, "tls_required", "this port speaks TLS only: use https://"}, false);
      return;
    case Channel::Handshake::failed:
      return close(client);
  }
}

bool Front::make_room() {
  Client* victim = nullptr;
  for (const auto& entry : clients_) {
    Client& client = *entry.second;
    const auto rank = eviction_rank(client);
    if (client.closed || !rank)
      continue;
    if (victim == nullptr ||
        std::pair(*rank, client.since) < std::pair(*eviction_rank(*victim), victim->since))
      victim = &client;
  }
  if (victim != nullptr)
    close(*victim);
  return victim != nullptr;
}

void Front::turn_away(Channel channel) {
  if (options_.tls && options_.tls())
    return;  // to say why would take a handshake
  const ServerResponse response = overloaded(options_, "too many connections wait for an answer");
  static_cast<void>(channel.write(format_answer_head(response, Persistence::close), response.body));
}

}  // namespace keyherd::net
