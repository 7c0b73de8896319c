#include "net/link.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "net/address_rules.hpp"

namespace keyherd::net {

namespace {

constexpr std::string_view kTlsWith = "TLS with ";

// While this lives, a stop request ends every wait on the socket at once (also of a connect that is
// still under way).
struct StopSocket {
  int fd;
  void operator()() const { ::shutdown(fd, SHUT_RDWR); }
};
using StopGuard = std::stop_callback<StopSocket>;

Result<Fd> start_connect(const SocketAddress& address, const std::string& doing) {
  Fd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid())
    return fail(network_error(errno, doing));
  const int on = 1;
  // Without it a request in two segments waits 40 ms for a delayed acknowledgement.
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const auto* target = reinterpret_cast<const sockaddr*>(&address.storage);
  if (::connect(fd.get(), target, address.length) != 0 && errno != EINPROGRESS)
    return fail(network_error(errno, doing));
  return fd;
}

int pending_error(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
    return errno;
  return error;
}

int clamp_to_int(std::size_t size) {
  return static_cast<int>(std::min<std::size_t>(size, INT_MAX));
}

}  // namespace

Link::Link(Fd socket, std::string peer) : socket_(std::move(socket)), peer_(std::move(peer)) {}

Link::~Link() {
  // A polite close_notify, if it fits into the socket's buffer.
  if (ssl_ && SSL_is_init_finished(ssl_.get()) == 1) {
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
}

bool is_tls_failure(const Error& error) {
  return error.code == ErrorCode::unavailable && error.message.starts_with(kTlsWith);
}

Result<std::unique_ptr<Link>> Link::open(const UrlParts& url, const TlsContext* tls,
                                         Resolver& resolver, const Bounds& bounds) {
  const bool bracketed = url.host.find(':') != std::string::npos;
  const std::string peer =
      (bracketed ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port);
  KH_ASSIGN(const auto addresses, resolver.resolve(url.host, url.port, bounds));
  if (std::any_of(addresses.begin(), addresses.end(),
                  [](const auto& address) { return is_forbidden_address(address.storage); }))
    return fail(ErrorCode::unavailable,
                "connecting to " + peer +
                    ": link-local addresses and metadata services of clouds "
                    "are never spoken to");
  Result<std::unique_ptr<Link>> link =
      fail(ErrorCode::unavailable, "connecting to " + peer + ": the name has no address");
  for (std::size_t index = 0; index < addresses.size(); ++index) {
    // An address that swallows packets must leave time for the ones after it.
    const auto now = std::chrono::steady_clock::now();
    const auto share = (bounds.deadline - now) / static_cast<long>(addresses.size() - index);
    link = connect(addresses[index], peer, Bounds{now + share, bounds.stop});
    if (link || !within(bounds, peer))
      break;
  }
  if (link && tls != nullptr)
    KH_TRY((*link)->start_tls(*tls, url.host, bounds));
  return link;
}

Result<std::unique_ptr<Link>> Link::connect(const SocketAddress& address, std::string peer,
                                            const Bounds& bounds) {
  const std::string doing = "connecting to " + peer;
  KH_ASSIGN(Fd fd, start_connect(address, doing));
  {
    const StopGuard on_stop(bounds.stop, StopSocket{fd.get()});
    KH_TRY(wait_for(fd.get(), POLLOUT, bounds, doing));
    KH_TRY(within(bounds, doing));
  }
  if (const int error = pending_error(fd.get()); error != 0)
    return fail(network_error(error, doing));
  return std::unique_ptr<Link>(new Link(std::move(fd), std::move(peer)));
}

Status Link::start_tls(const TlsContext& tls, const std::string& host, const Bounds& bounds) {
  const std::string doing = std::string(kTlsWith) + peer_;
  KH_ASSIGN(ssl_, tls.session(socket_.get(), host));
  const StopGuard on_stop(bounds.stop, StopSocket{socket_.get()});
  for (;;) {
    KH_TRY(within(bounds, doing));
    ERR_clear_error();
    const int outcome = SSL_do_handshake(ssl_.get());
    if (outcome == 1)
      return {};
    if (auto waited = await_tls(outcome, bounds, doing); !waited)
      return waited;
  }
}

Status Link::await_tls(int outcome, const Bounds& bounds, std::string_view doing) {
  const int saved = errno;
  switch (SSL_get_error(ssl_.get(), outcome)) {
    case SSL_ERROR_WANT_READ:
      return wait_for(socket_.get(), POLLIN, bounds, doing);
    case SSL_ERROR_WANT_WRITE:
      return wait_for(socket_.get(), POLLOUT, bounds, doing);
    case SSL_ERROR_SYSCALL:
      KH_TRY(within(bounds, doing));
      if (saved != 0 && ERR_peek_error() == 0)
        return fail(network_error(saved, doing));
      break;
    default:  // OpenSSL's codes are ints, not an enum
      KH_TRY(within(bounds, doing));
      break;
  }
  return fail(ErrorCode::unavailable, std::string(doing) + ": " + tls_failure(ssl_.get()));
}

Result<std::size_t> Link::read(std::span<char> buffer, const Bounds& bounds) {
  const StopGuard on_stop(bounds.stop, StopSocket{socket_.get()});
  KH_ASSIGN(const std::size_t count, ssl_ ? read_tls(buffer, bounds) : read_plain(buffer, bounds));
  // A stop shuts the socket down, which reads as an end: it is none.
  if (count == 0)
    KH_TRY(within(bounds, "reading from " + peer_));
  return count;
}

Result<std::size_t> Link::read_plain(std::span<char> buffer, const Bounds& bounds) {
  const std::string doing = "reading from " + peer_;
  for (;;) {
    // Also when bytes are always there: a fast endless answer has a deadline too.
    KH_TRY(within(bounds, doing));
    const auto count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (count >= 0)
      return static_cast<std::size_t>(count);
    if (errno == EAGAIN)
      KH_TRY(wait_for(socket_.get(), POLLIN, bounds, doing));
    else if (errno != EINTR)
      return fail(network_error(errno, doing));
  }
}

Result<std::size_t> Link::read_tls(std::span<char> buffer, const Bounds& bounds) {
  const std::string doing = "reading from " + peer_;
  for (;;) {
    KH_TRY(within(bounds, doing));
    ERR_clear_error();
    errno = 0;
    const int count = SSL_read(ssl_.get(), buffer.data(), clamp_to_int(buffer.size()));
    if (count > 0)
      return static_cast<std::size_t>(count);
    const int error = SSL_get_error(ssl_.get(), count);
    if (error == SSL_ERROR_ZERO_RETURN ||
        (error == SSL_ERROR_SYSCALL && errno == 0 && ERR_peek_error() == 0))
      return std::size_t{0};
    KH_TRY(await_tls(count, bounds, doing));
  }
}

Status Link::write(std::string_view bytes, const Bounds& bounds) {
  const StopGuard on_stop(bounds.stop, StopSocket{socket_.get()});
  while (!bytes.empty()) {
    KH_ASSIGN(const std::size_t count, write_some(bytes, bounds));
    bytes.remove_prefix(count);
  }
  return {};
}

Result<std::size_t> Link::write_some(std::string_view bytes, const Bounds& bounds) {
  const std::string doing = "sending to " + peer_;
  for (;;) {
    KH_TRY(within(bounds, doing));
    if (ssl_) {
      ERR_clear_error();
      errno = 0;
      const int count = SSL_write(ssl_.get(), bytes.data(), clamp_to_int(bytes.size()));
      if (count > 0)
        return static_cast<std::size_t>(count);
      KH_TRY(await_tls(count, bounds, doing));
      continue;
    }
    const auto count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0)
      return static_cast<std::size_t>(count);
    if (errno == EAGAIN)
      KH_TRY(wait_for(socket_.get(), POLLOUT, bounds, doing));
    else if (errno != EINTR)
      return fail(network_error(errno, doing));
  }
}

bool Link::is_quiet() {
  pollfd entry{socket_.get(), POLLIN, 0};
  if (::poll(&entry, 1, 0) == 0)
    return true;
  if (!ssl_)
    return false;
  // A TLS 1.3 server may send session tickets at any time: those are not data.
  ERR_clear_error();
  char byte = 0;
  const int count = SSL_peek(ssl_.get(), &byte, 1);
  const bool waiting = count <= 0 && SSL_get_error(ssl_.get(), count) == SSL_ERROR_WANT_READ;
  ERR_clear_error();
  return waiting;
}

}  // namespace keyherd::net
