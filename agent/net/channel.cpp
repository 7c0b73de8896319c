#include "net/channel.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace keyherd::net {

namespace {

bool would_block() {
  return errno == EAGAIN || errno == EINTR;
}

int clamped(std::size_t size) {
  return static_cast<int>(std::min<std::size_t>(size, INT_MAX));
}

iovec part(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};  // NOLINT: sendmsg only reads it
}

}  // namespace

Channel::Handshake Channel::handshake() {
  ERR_clear_error();
  const int outcome = SSL_do_handshake(ssl_.get());
  if (outcome == 1)
    return Handshake::done;
  const int error = SSL_get_error(ssl_.get(), outcome);
  if (error == SSL_ERROR_WANT_READ)
    return Handshake::wants_read;
  if (error == SSL_ERROR_WANT_WRITE)
    return Handshake::wants_write;
  const bool plain = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
  ERR_clear_error();
  return plain ? Handshake::plain_http : Handshake::failed;
}

// A read that wants to write, and the other way round, comes from renegotiation (switched off) or
// from a client that demands new keys and does not read them.
Channel::Moved Channel::tls_outcome(int count) {
  if (count > 0)
    return {static_cast<std::size_t>(count), true};
  const int error = SSL_get_error(ssl_.get(), count);
  ERR_clear_error();
  return {0, error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE};
}

Channel::Moved Channel::read(std::span<char> buffer) {
  if (ssl_) {
    ERR_clear_error();
    // A record is at most 16 KiB and is taken whole: what is left is in the socket, where epoll
    // sees it.
    const Moved moved = tls_outcome(SSL_read(ssl_.get(), buffer.data(), clamped(buffer.size())));
    return {moved.bytes, moved.ok && SSL_want_write(ssl_.get()) == 0};
  }
  const auto count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count > 0)
    return {static_cast<std::size_t>(count), true};
  return {0, count < 0 && would_block()};
}

Channel::Moved Channel::write(std::string_view first, std::string_view second) {
  if (ssl_) {
    ERR_clear_error();
    const std::string_view bytes = first.empty() ? second : first;
    const Moved moved = tls_outcome(SSL_write(ssl_.get(), bytes.data(), clamped(bytes.size())));
    return {moved.bytes, moved.ok && SSL_want_read(ssl_.get()) == 0};
  }
  std::array<iovec, 2> parts{part(first), part(second)};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  const auto sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  if (sent > 0)
    return {static_cast<std::size_t>(sent), true};
  return {0, sent < 0 && would_block()};
}

bool Channel::discard() {
  std::array<char, 16'384> waste{};
  const auto count = ::recv(socket_.get(), waste.data(), waste.size(), 0);
  return count > 0 || (count < 0 && would_block());
}

void Channel::end() {
  if (ssl_) {
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  ::shutdown(socket_.get(), SHUT_WR);
}

void Channel::close() {
  ssl_.reset();
  socket_.reset();
}

}  // namespace keyherd::net
