// The front's loop: waiting, deadlines, parked requests, stopping. How clients come in is in
// front_accept.cpp, what happens to one request in front_request.cpp.

#include "net/front.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "net/answer.hpp"

namespace keyherd::net {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kScratchBytes = 65'536;
constexpr milliseconds kStopPatience{1'500};

// Milliseconds to wait, rounded up so that a deadline is never polled for.
int wait_time(SteadyTime now, SteadyTime until) {
  constexpr milliseconds kLongest{60'000};
  if (until <= now)
    return 0;
  if (until - now >= kLongest)
    return static_cast<int>(kLongest.count());
  return static_cast<int>(std::chrono::ceil<milliseconds>(until - now).count());
}

}  // namespace

Result<std::unique_ptr<Front>> Front::make(Listener listener, const ServerOptions& options,
                                           const RouteTable& routes) {
  std::unique_ptr<Front> front(new Front(options, routes));
  front->listener_ = std::move(listener);
  front->next_id_ = kFirstClientId;
  front->scratch_.resize(kScratchBytes);
  KH_ASSIGN(front->wake_up_, open_wake_up());
  front->epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!front->epoll_.valid() ||
      !front->add_to_epoll(front->listener_.socket.get(), EPOLLIN, kListenerId) ||
      !front->add_to_epoll(front->wake_up_.get(), EPOLLIN, kWakeUpId))
    return fail(errno_error(errno, "making an epoll"));
  return front;
}

void Front::deliver(std::uint64_t client, std::variant<Answer, Piece> made) {
  bool is_first = false;
  {
    MutexLock lock(mutex_);
    is_first = made_.empty();
    made_.emplace_back(client, std::move(made));
  }
  if (is_first)
    ring(wake_up_);
}

void Front::wake() {
  if (!poll_requested_.exchange(true))
    ring(wake_up_);
}

void Front::stop() {
  stop_requested_ = true;
  ring(wake_up_);
}

void Front::run(const Submit& submit) {
  submit_ = &submit;
  now_ = std::chrono::steady_clock::now();
  while (!(is_stopping() && (clients_.empty() || now_ >= stop_by_))) {
    wait_and_handle();
    handle_made();
    if (poll_requested_.exchange(false))
      poll_waiting();
    handle_deadlines();
    if (stop_requested_ && !is_stopping())
      begin_stopping();
    forget_closed();
  }
  clients_.clear();
}

bool Front::add_to_epoll(int fd, unsigned events, std::uint64_t id) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Front::wait_and_handle() {
  handshake_steps_ = 0;
  SteadyTime until = std::min(accept_again_, stop_by_);
  if (!deadlines_.empty())
    until = std::min(until, deadlines_.begin()->first);
  std::array<epoll_event, 128> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                 wait_time(std::chrono::steady_clock::now(), until));
  now_ = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) {
    const auto& event = events[static_cast<std::size_t>(i)];
    if (event.data.u64 == kListenerId)
      accept_clients();
    else if (event.data.u64 == kWakeUpId)
      silence(wake_up_);
    else
      handle_event(event.data.u64, event.events);
  }
}

void Front::handle_event(std::uint64_t id, unsigned events) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || found->second->closed)
    return;
  Client& client = *found->second;
  if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0)
    return close(client);
  switch (client.phase) {
    case Client::Phase::handshaking:
      return continue_handshake(client);
    case Client::Phase::idle:
    case Client::Phase::reading_head:
    case Client::Phase::reading_body:
      return read_some(client);
    case Client::Phase::working:
    case Client::Phase::parked:
    case Client::Phase::feeding:
      // The next request, or the end, is there already: it waits in the socket.
      return watch(client, client.phase == Client::Phase::working ? 0U : EPOLLRDHUP);
    case Client::Phase::writing:
      if (write_on(client))
        advance(client);
      return;
    case Client::Phase::draining:
      if (!client.channel.discard())
        close(client);
      return;
  }
}

void Front::handle_made() {
  std::vector<std::pair<std::uint64_t, std::variant<Answer, Piece>>> all;
  {
    MutexLock lock(mutex_);
    all.swap(made_);
  }
  for (auto& [id, made] : all) {
    const auto found = clients_.find(id);
    if (found == clients_.end() || found->second->closed)
      continue;  // it left while the worker was busy
    if (auto* const piece = std::get_if<Piece>(&made))
      take_piece(*found->second, std::move(*piece));
    else
      take_answer(*found->second, std::get<Answer>(std::move(made)));
  }
}

void Front::take_answer(Client& client, Answer answer) {
  if (answer.park)
    park(client, std::move(*answer.park));
  else if (respond(client, std::move(*answer.response), client.reader.can_continue()))
    advance(client);
}

void Front::handle_deadlines() {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_) {
    const auto id = deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    Client& client = *clients_.at(id);
    client.deadline = SteadyTime::max();
    expire(client);
  }
  if (accept_again_ <= now_ && !is_stopping()) {
    accept_again_ = SteadyTime::max();
    add_to_epoll(listener_.socket.get(), EPOLLIN, kListenerId);
  }
}

void Front::poll_waiting() {
  // Copies: an answer takes its client out of the set.
  for (const std::uint64_t id : std::vector<std::uint64_t>(parked_.begin(), parked_.end()))
    poll_one(*clients_.at(id));
  for (const std::uint64_t id : std::vector<std::uint64_t>(feeds_.begin(), feeds_.end())) {
    Client& client = *clients_.at(id);
    if (client.phase == Client::Phase::feeding)
      feed_more(client, false);
  }
}

void Front::begin_stopping() {
  stop_by_ = now_ + kStopPatience;
  accept_again_ = SteadyTime::max();
  listener_.socket.reset();
  for (const auto& entry : clients_) {
    Client& client = *entry.second;
    if (client.closed)
      continue;
    switch (client.phase) {
      case Client::Phase::handshaking:
      case Client::Phase::idle:
      case Client::Phase::reading_head:
      case Client::Phase::reading_body:
        close(client);
        break;
      case Client::Phase::parked:
        expire(client);
        break;
      case Client::Phase::feeding:
        end_feed(client);
        break;
      case Client::Phase::working:
      case Client::Phase::writing:
      case Client::Phase::draining:
        break;
    }
  }
}

void Front::forget_closed() {
  for (const std::uint64_t id : closed_)
    clients_.erase(id);
  closed_.clear();
}

}  // namespace keyherd::net
