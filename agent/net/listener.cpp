#include "net/listener.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <system_error>

namespace keyherd::net {

namespace {

using AddressList = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

Result<AddressList> numeric_address(std::string address, int port) {
  if (address == "localhost")
    address = "127.0.0.1";
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* found = nullptr;
  if (port < 0 || port > 65'535 || address.empty() ||
      ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    return fail(ErrorCode::invalid, "listening on " + address + ":" + std::to_string(port) +
                                        ": not an IP address and a port");
  return AddressList(found, ::freeaddrinfo);
}

Error bind_error(int error_number, const std::string& doing) {
  ErrorCode code = ErrorCode::unavailable;
  if (error_number == EADDRINUSE)
    code = ErrorCode::conflict;
  else if (error_number == EACCES || error_number == EPERM)
    code = ErrorCode::denied;
  else if (error_number == EADDRNOTAVAIL || error_number == EAFNOSUPPORT)
    code = ErrorCode::invalid;
  return Error{code, doing + ": " + std::generic_category().message(error_number)};
}

int port_of(int socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0)
    return 0;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof(v6));
    return ntohs(v6.sin6_port);
  }
  sockaddr_in v4{};
  std::memcpy(&v4, &storage, sizeof(v4));
  return ntohs(v4.sin_port);
}

std::string peer_text(const sockaddr_storage& address, socklen_t length) {
  std::array<char, NI_MAXHOST> host{};
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host.data(), host.size(),
                    nullptr, 0, NI_NUMERICHOST) != 0)
    return "unknown";
  constexpr std::string_view kMapped = "::ffff:";
  const std::string_view text(host.data());
  const bool is_mapped =
      text.substr(0, kMapped.size()) == kMapped && text.find('.') != std::string_view::npos;
  return std::string(is_mapped ? text.substr(kMapped.size()) : text);
}

}  // namespace

Result<Listener> open_listener(const std::string& address, int port) {
  KH_ASSIGN(const AddressList list, numeric_address(address, port));
  const std::string doing = "listening on " + address + ":" + std::to_string(port);
  Listener listener;
  listener.socket =
      Fd(::socket(list->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  const int fd = listener.socket.get();
  if (fd < 0)
    return fail(bind_error(errno, doing));
  // REUSEADDR lets a restart take the port over from connections in TIME_WAIT. REUSEPORT would let
  // two agents listen together, each seeing half of the requests.
  const int on = 1;
  const int off = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (list->ai_family == AF_INET6)
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  if (::bind(fd, list->ai_addr, list->ai_addrlen) != 0 || ::listen(fd, SOMAXCONN) != 0)
    return fail(bind_error(errno, doing));
  listener.port = port_of(fd);
  return listener;
}

Accepted accept_one(const Listener& listener) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  Accepted accepted;
  accepted.socket = Fd(::accept4(listener.socket.get(), reinterpret_cast<sockaddr*>(&address),
                                 &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!accepted.socket.valid()) {
    accepted.error = errno;
    return accepted;
  }
  const int on = 1;
  // Without it each answer on a kept connection waits 40 ms for a delayed acknowledgement.
  ::setsockopt(accepted.socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  accepted.peer = peer_text(address, length);
  return accepted;
}

Result<Fd> open_wake_up() {
  Fd fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!fd.valid())
    return fail(errno_error(errno, "making an eventfd"));
  return fd;
}

void ring(const Fd& wake_up) {
  const std::uint64_t one = 1;
  // It can only fail when the counter is full: then the front is about to wake anyway.
  static_cast<void>(::write(wake_up.get(), &one, sizeof(one)) == 0);
}

void silence(const Fd& wake_up) {
  std::uint64_t count = 0;
  static_cast<void>(::read(wake_up.get(), &count, sizeof(count)) == 0);
}

}  // namespace keyherd::net
