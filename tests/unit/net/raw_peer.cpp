#include "raw_peer.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace keyherd::test {

namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;
constexpr milliseconds kPatience{5'000};
constexpr milliseconds kSlice{20};

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

// Readable (or closed) within the span.
bool wait_readable(int fd, milliseconds span) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, static_cast<int>(span.count())) > 0;
}

std::size_t content_length(std::string_view head) {
  constexpr std::string_view kName = "\r\nContent-Length: ";
  const auto at = head.find(kName);
  return at == std::string_view::npos
             ? 0
             : std::strtoul(std::string(head.substr(at + kName.size(), 20)).c_str(), nullptr, 10);
}

// The length of the first message in the buffer, 0 while it is not whole.
std::size_t message_size(std::string_view buffer, bool bodiless) {
  const auto end = buffer.find("\r\n\r\n");
  if (end == std::string_view::npos)
    return 0;
  const auto size = end + 4 + (bodiless ? 0 : content_length(buffer.substr(0, end + 2)));
  return buffer.size() >= size ? size : 0;
}

std::string take(std::string& buffer, std::size_t size) {
  std::string taken = buffer.substr(0, size);
  buffer.erase(0, size);
  return taken;
}

void no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

bool RawPeer::read_more() {
  while (!stopping_) {
    const bool pending = ssl_ != nullptr && SSL_pending(ssl_) > 0;
    if (!pending && !wait_readable(socket_, kSlice))
      continue;
    std::array<char, 16'384> bytes{};
    const auto count = ssl_ != nullptr
                           ? SSL_read(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                           : ::recv(socket_, bytes.data(), bytes.size(), 0);
    if (count <= 0)
      return false;
    buffer_.append(bytes.data(), static_cast<std::size_t>(count));
    return true;
  }
  return false;
}

std::string RawPeer::read_request() {
  for (;;) {
    if (const auto size = message_size(buffer_, false); size > 0)
      return take(buffer_, size);
    if (!read_more())
      return {};
  }
}

bool RawPeer::write(std::string_view bytes) {
  while (!bytes.empty() && !stopping_) {
    const auto count = ssl_ != nullptr
                           ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                           : ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return bytes.empty();
}

bool RawPeer::pause(milliseconds span) {
  const auto until = Steady::now() + span;
  while (!stopping_ && Steady::now() < until) {
    const auto left = std::chrono::ceil<milliseconds>(until - Steady::now());
    if (!wait_readable(socket_, std::clamp(left, milliseconds(0), kSlice)))
      continue;
    char byte = 0;
    if (::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
      return false;
    return true;  // bytes of the next request: no reason to wait on
  }
  return !stopping_;
}

void RawPeer::hang() const {
  while (!stopping_)
    ::poll(nullptr, 0, static_cast<int>(kSlice.count()));
}

void RawPeer::reset() {
  const linger now{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

RawServer::RawServer(Script script, ssl_ctx_st* tls) : script_(std::move(script)), tls_(tls) {
  listener_ = net::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_.get(), generic, sizeof(address)) != 0 ||
      ::listen(listener_.get(), SOMAXCONN) != 0 ||
      ::getsockname(listener_.get(), generic, &length) != 0)
    throw std::runtime_error("RawServer cannot listen");
  port_ = ntohs(address.sin_port);
  acceptor_ = std::jthread([this] { accept_all(); });
}

RawServer::~RawServer() {
  stopping_ = true;
  acceptor_.join();
  peers_.clear();
}

std::string RawServer::url(std::string_view target) const {
  return std::string(tls_ != nullptr ? "https" : "http") + "://127.0.0.1:" + std::to_string(port_) +
         std::string(target);
}

void RawServer::accept_all() {
  while (!stopping_) {
    if (!wait_readable(listener_.get(), kSlice))
      continue;
    net::Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!socket.valid())
      continue;
    ++connections_;
    peers_.emplace_back([this, fd = std::move(socket)]() mutable { serve(std::move(fd)); });
  }
}

void RawServer::serve(net::Fd socket) {
  // OpenSSL's own socket BIO raises it; in this thread only, so that the product's care is tested.
  sigset_t pipe{};
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  no_delay(socket.get());
  const timeval patience{5, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  ssl_st* ssl = nullptr;
  if (tls_ != nullptr) {
    ssl = SSL_new(tls_);
    SSL_set_fd(ssl, socket.get());
  }
  if (ssl == nullptr || SSL_accept(ssl) == 1) {
    ++scripts_run_;
    RawPeer peer(socket.get(), ssl, stopping_);
    script_(peer);
  }
  SSL_free(ssl);
}

RawClient::RawClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in address = loopback(port);
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    throw std::runtime_error("RawClient cannot connect");
  no_delay(socket_.get());
  const timeval patience{5, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

void RawClient::half_close() {
  ::shutdown(socket_.get(), SHUT_WR);
}

bool RawClient::read_more(Steady::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - Steady::now());
  if (left <= milliseconds(0) || !wait_readable(socket_.get(), left))
    return false;
  std::array<char, 65'536> bytes{};
  const auto count = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  closed_ = count <= 0;
  if (count > 0)
    buffer_.append(bytes.data(), static_cast<std::size_t>(count));
  return count > 0;
}

std::string RawClient::read_answer(bool head_request) {
  const auto deadline = Steady::now() + kPatience;
  for (;;) {
    const bool interim = buffer_.substr(0, 12) == "HTTP/1.1 100";
    if (const auto size = message_size(buffer_, head_request || interim); size > 0)
      return take(buffer_, size);
    if (!read_more(deadline))
      return std::exchange(buffer_, {});
  }
}

std::string RawClient::read_to_end() {
  const auto deadline = Steady::now() + kPatience;
  while (read_more(deadline)) {
  }
  return std::exchange(buffer_, {});
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = Steady::now() + kPatience;
  while (!condition()) {
    if (Steady::now() >= deadline)
      return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

int status_of(std::string_view answer) {
  return answer.substr(0, 9) == "HTTP/1.1 " ? std::atoi(std::string(answer.substr(9, 3)).c_str())
                                            : 0;
}

std::string body_of(std::string_view answer) {
  const auto end = answer.find("\r\n\r\n");
  return end == std::string_view::npos ? std::string() : std::string(answer.substr(end + 4));
}

double resident_mib() {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  return 0;
#endif
  std::ifstream statm("/proc/self/statm");
  double total = 0;
  double resident = 0;
  statm >> total >> resident;
  return resident * 4096 / (1024 * 1024);
}

}  // namespace keyherd::test
