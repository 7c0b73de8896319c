// What the front does with one client: read, dispatch, answer, park, drain, close.

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "base/text.hpp"
#include "net/answer.hpp"
#include "net/front.hpp"

namespace keyherd::net {

namespace {

constexpr std::chrono::milliseconds kDrainTime{1'000};
constexpr std::chrono::milliseconds kDrainTimeAtStop{200};

// A bounded set for metrics: a client may write any word.
std::string_view known_method(std::string_view method) {
  constexpr std::array<std::string_view, 7> kMethods{"GET",    "HEAD",    "POST", "PUT",
                                                     "DELETE", "OPTIONS", "PATCH"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end() ? method : "OTHER";
}

using Headers = std::vector<std::pair<std::string, std::string>>;

void add_missing(Headers& headers, const Headers& usual) {
  for (const auto& header : usual) {
    if (std::none_of(headers.begin(), headers.end(), [&](const auto& given) {
          return equals_ignore_case(given.first, header.first);
        }))
      headers.push_back(header);
  }
}

}  // namespace

void Front::read_some(Client& client) {
  const Channel::Moved received = client.channel.read(scratch_);
  if (!received.ok)
    return close(client);
  if (received.bytes > 0) {
    client.reader.append(std::string_view(scratch_.data(), received.bytes));
    advance(client);
  }
}

void Front::advance(Client& client) {
  for (bool go_on = true; go_on;) {
    switch (client.reader.advance()) {
      case RequestReader::Progress::more:
        await_bytes(client);
        go_on = false;
        break;
      case RequestReader::Progress::expects_continue: {
        constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        // Nothing is in the socket's buffer before it; a client that gets none sends its body
        // anyway.
        static_cast<void>(client.channel.write(kContinue, {}));
        break;
      }
      case RequestReader::Progress::complete:
        go_on = dispatch(client);
        break;
      case RequestReader::Progress::refused:
        client.dispatched = now_;
        go_on = refuse(client, client.reader.refusal(), client.reader.can_continue());
        break;
    }
  }
}

void Front::await_bytes(Client& client) {
  hold(client, client.reader.held_bytes());
  if (held_bytes_ > options_.max_held_bytes) {
    client.dispatched = now_;
    refuse(client, {503, "overloaded", "too many large requests are under way"}, false);
    return;
  }
  watch(client, EPOLLIN);
  if (client.reader.is_idle())
    return;  // with the deadline that its phase began with
  // The deadline of a phase counts from its start: a byte now and then does not move it.
  if (client.reader.in_body() && client.phase != Client::Phase::reading_body)
    enter(client, Client::Phase::reading_body, now_ + options_.body_deadline);
  else if (!client.reader.in_body() && client.phase != Client::Phase::reading_head)
    enter(client, Client::Phase::reading_head, now_ + options_.head_deadline);
}

bool Front::dispatch(Client& client) {
  client.dispatched = now_;
  Job job;
  job.connection = client.id;
  job.route = client.reader.route();
  job.request = std::move(client.reader.request());
  job.request.peer = client.peer;
  job.chunked = !client.reader.head().is_http_1_0;
  hold(client, client.reader.held_bytes() + job.request.body.size());
  enter(client, Client::Phase::working, SteadyTime::max());
  if ((*submit_)(std::move(job)))
    return false;
  return refuse(client, {503, "overloaded", "too many requests wait for a worker"},
                client.reader.can_continue());
}

bool Front::refuse(Client& client, const Refusal& refusal, bool keep_alive) {
  ServerResponse response = error_answer(options_, refusal.status, refusal.code, refusal.message);
  if (refusal.status == 405)
    response.headers.emplace_back("Allow", client.reader.allowed_methods());
  if (refusal.status == 503)
    response.headers.emplace_back("Retry-After", "1");
  return respond(client, std::move(response), keep_alive);
}

bool Front::respond(Client& client, ServerResponse response, bool keep_alive) {
  if (response.hang_up) {
    report(client, 0);
    close(client);
    return false;
  }
  const RequestHead& head = client.reader.head();
  const bool sends_body = has_body(response.status) && head.method != "HEAD";
  if (sends_body && unsent_bytes_ + response.body.size() > options_.max_unsent_bytes) {
    response = overloaded(options_, "too many answers wait to be taken");
  }
  if (sends_body && response.feed && !may_wait())
    response = overloaded(options_, "too many clients wait for news");
  const bool streams = sends_body && (response.stream || response.feed);
  client.close_after = !keep_alive || is_stopping() || (streams && head.is_http_1_0);
  Persistence persistence = Persistence::close;
  if (!client.close_after)
    persistence = head.is_http_1_0 ? Persistence::keep_alive_1_0 : Persistence::keep_alive;
  Framing framing = Framing::sized;
  if (response.stream || response.feed)
    framing = head.is_http_1_0 ? Framing::until_close : Framing::chunked;
  add_missing(response.headers, options_.headers);
  client.answer_head = format_answer_head(response, persistence, framing);
  if (sends_body)
    client.answer_body = std::move(response.body);
  if (streams) {
    client.stream = std::move(response.stream);
    client.feed = std::move(response.feed);
  }
  if (client.feed)
    feeds_.insert(client.id);
  unsent_bytes_ += client.answer_body.size();
  if (client.close_after)
    client.reader.discard();
  hold(client, client.reader.held_bytes());
  enter(client, Client::Phase::writing, now_ + options_.write_deadline);
  report(client, response.status);
  if (client.stream)
    want_piece(client);
  return !client.closed && write_on(client);
}

void Front::report(const Client& client, int status) const {
  if (!options_.observe)
    return;
  const Route* route = client.reader.route();
  options_.observe(route != nullptr ? std::string_view(route->pattern) : std::string_view(),
                   known_method(client.reader.head().method), status,
                   std::chrono::steady_clock::now() - client.dispatched);
}

bool Front::write_on(Client& client) {
  do {
    if (!send_some(client)) {
      close(client);
      return false;
    }
    if (client.unsent() > 0) {
      watch(client, EPOLLOUT);
      return false;
    }
  } while (go_to_next_piece(client));
  if (client.closed)
    return false;
  if (client.stream) {  // a worker makes the next piece
    watch(client, 0);
    return false;
  }
  if (client.feed) {
    feed_more(client, false);
    return false;
  }
  finish(client);
  return client.phase == Client::Phase::idle;
}

void Front::want_piece(Client& client) {
  Job job;
  job.connection = client.id;
  job.chunked = !client.reader.head().is_http_1_0;
  job.stream = client.stream;
  // The status is out: an answer that is not whole is all that can be said of an overload now.
  if (!(*submit_)(std::move(job)))
    close(client);
}

void Front::take_piece(Client& client, Piece piece) {
  if (piece.failed)
    return close(client);
  if (piece.is_last)
    client.stream.reset();
  unsent_bytes_ += piece.bytes.size();
  client.next_piece = std::move(piece.bytes);
  if (client.next_piece.empty() && client.stream)
    return want_piece(client);
  if (client.unsent() == 0 && write_on(client))
    advance(client);
}

// True when there is more to send at once.
bool Front::go_to_next_piece(Client& client) {
  if (client.next_piece.empty())
    return false;
  unsent_bytes_ -= client.answer_body.size();
  client.answer_head.clear();
  client.answer_body = std::exchange(client.next_piece, {});
  client.written = 0;
  if (client.stream)
    want_piece(client);
  return !client.closed;
}

void Front::finish(Client& client) {
  unsent_bytes_ -= client.answer_body.size();
  client.answer_head.clear();
  client.answer_body = std::string();
  client.written = 0;
  if (client.close_after) {
    client.channel.end();
    enter(client, Client::Phase::draining, now_ + (is_stopping() ? kDrainTimeAtStop : kDrainTime));
    watch(client, EPOLLIN);
    return;
  }
  client.reader.next();
  enter(client, Client::Phase::idle, now_ + options_.idle_timeout);
}

bool Front::may_wait() const {
  return long_waits_ + feeds_.size() < options_.max_waiting;
}

void Front::feed_more(Client& client, bool quiet) {
  const bool chunked = !client.reader.head().is_http_1_0;
  while (client.unsent() == 0) {
    Piece piece = next_of_feed(*client.feed, chunked, quiet);
    quiet = false;
    if (piece.failed)
      return close(client);
    unsent_bytes_ += piece.bytes.size() - client.answer_body.size();
    client.answer_head.clear();
    client.answer_body = std::move(piece.bytes);
    client.written = 0;
    if (piece.is_last) {
      feeds_.erase(client.id);
      client.feed.reset();
      enter(client, Client::Phase::writing, now_ + options_.write_deadline);
      if (write_on(client))
        advance(client);
      return;
    }
    if (client.answer_body.empty()) {
      if (client.phase != Client::Phase::feeding)
        enter(client, Client::Phase::feeding, now_ + options_.alive_every);
      return watch(client, EPOLLRDHUP);
    }
    if (!send_some(client))
      return close(client);
    // Its silence counts from here.
    enter(client, Client::Phase::feeding, now_ + options_.alive_every);
  }
  enter(client, Client::Phase::writing, now_ + options_.write_deadline);
  watch(client, EPOLLOUT);
}

void Front::end_feed(Client& client) {
  feeds_.erase(client.id);
  client.feed.reset();
  client.close_after = true;
  if (!client.reader.head().is_http_1_0)
    client.answer_body = "0\r\n\r\n";
  unsent_bytes_ += client.answer_body.size();
  client.written = 0;
  enter(client, Client::Phase::writing, now_ + options_.write_deadline);
  write_on(client);
}

void Front::park(Client& client, Park park) {
  if (park.long_wait && !may_wait()) {
    if (respond(client, overloaded(options_, "too many clients wait for an answer"),
                client.reader.can_continue()))
      advance(client);
    return;
  }
  client.park = std::move(park);
  hold(client, client.reader.held_bytes());
  enter(client, Client::Phase::parked, client.park->deadline);
  if (is_stopping())
    return expire(client);
  watch(client, EPOLLRDHUP);
  // What it waits for may have happened between the handler's look and now.
  poll_one(client);
}

void Front::poll_one(Client& client) {
  Answer answer = call_guarded(
      [&client]() -> Answer {
        if (auto ready = client.park->poll())
          return std::move(*ready);
        return Park{};  // still waiting
      },
      options_);
  if (answer.response && respond(client, std::move(*answer.response), client.reader.can_continue()))
    advance(client);
}

void Front::expire(Client& client) {
  switch (client.phase) {
    case Client::Phase::handshaking:
    case Client::Phase::idle:
    case Client::Phase::writing:
    case Client::Phase::draining:
      return close(client);
    case Client::Phase::reading_head:
    case Client::Phase::reading_body:
      client.dispatched = now_;
      refuse(client, {408, "timeout", "the request did not arrive in time"}, false);
      return;
    case Client::Phase::parked: {
      Answer answer =
          call_guarded([&client]() -> Answer { return client.park->at_deadline(); }, options_);
      if (respond(client, std::move(*answer.response), client.reader.can_continue()))
        advance(client);
      return;
    }
    case Client::Phase::feeding:
      return feed_more(client, true);
    case Client::Phase::working:
      return;
  }
}

void Front::enter(Client& client, Client::Phase phase, SteadyTime deadline) {
  if (client.phase == Client::Phase::parked) {
    parked_.erase(client.id);
    long_waits_ -= client.park->long_wait ? 1U : 0U;
    client.park.reset();
  }
  if (phase == Client::Phase::parked) {
    parked_.insert(client.id);
    long_waits_ += client.park->long_wait ? 1U : 0U;
  }
  if (phase == Client::Phase::handshaking)
    handshaking_.insert(client.id);
  else if (client.phase == Client::Phase::handshaking)
    handshaking_.erase(client.id);
  client.phase = phase;
  client.since = now_;
  if (client.deadline != SteadyTime::max())
    deadlines_.erase({client.deadline, client.id});
  if (deadline != SteadyTime::max())
    deadlines_.emplace(deadline, client.id);
  client.deadline = deadline;
}

void Front::watch(Client& client, unsigned events) {
  if (client.events == events)
    return;
  epoll_event event{};
  event.events = events;
  event.data.u64 = client.id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, client.channel.fd(), &event) != 0)
    return close(client);
  client.events = events;
}

void Front::close(Client& client) {
  if (client.closed)
    return;
  client.closed = true;
  hold(client, 0);
  unsent_bytes_ -= client.answer_body.size() + client.next_piece.size();
  client.answer_body = std::string();
  client.next_piece = std::string();
  client.stream.reset();
  client.feed.reset();
  feeds_.erase(client.id);
  enter(client, Client::Phase::draining, SteadyTime::max());
  client.channel.close();
  closed_.push_back(client.id);
}

void Front::hold(Client& client, std::size_t bytes) {
  held_bytes_ += bytes - client.held;
  client.held = bytes;
}

}  // namespace keyherd::net
