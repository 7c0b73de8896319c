#include "net/resolver.hpp"

#include <netdb.h>

#include <array>
#include <chrono>
#include <cstring>

namespace keyherd::net {

namespace {

// How soon a stop is noticed: gai_suspend(3) can wait for a time or an answer, not for a token.
constexpr std::chrono::milliseconds kSlice{20};

std::vector<SocketAddress> copy_addresses(const addrinfo* list) {
  std::vector<SocketAddress> addresses;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    SocketAddress address;
    if (entry->ai_addrlen > sizeof(address.storage))
      continue;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.length = entry->ai_addrlen;
    addresses.push_back(address);
  }
  return addresses;
}

addrinfo stream_hints(int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  return hints;
}

std::vector<SocketAddress> numeric_address(const std::string& host, const std::string& port) {
  const addrinfo hints = stream_hints(AI_NUMERICHOST);
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0)
    return {};
  auto addresses = copy_addresses(found);
  ::freeaddrinfo(found);
  return addresses;
}

}  // namespace

// What getaddrinfo_a reads and writes from its own thread: it must live until that is done.
struct Resolver::Lookup {
  Lookup(std::string name, std::string service)
      : host(std::move(name)), port(std::move(service)), hints(stream_hints(AI_ADDRCONFIG)) {
    request.ar_name = host.c_str();
    request.ar_service = port.c_str();
    request.ar_request = &hints;
  }
  ~Lookup() {
    if (request.ar_result != nullptr)
      ::freeaddrinfo(request.ar_result);
  }
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  [[nodiscard]] int start() {
    std::array<gaicb*, 1> list{&request};
    return ::getaddrinfo_a(GAI_NOWAIT, list.data(), 1, nullptr);
  }
  void wait(std::chrono::milliseconds span) {
    const std::array<const gaicb*, 1> list{&request};
    timespec timeout{};
    timeout.tv_nsec = std::chrono::nanoseconds(span).count();
    ::gai_suspend(list.data(), 1, &timeout);
  }
  [[nodiscard]] bool running() { return ::gai_error(&request) == EAI_INPROGRESS; }

  std::string host;
  std::string port;
  addrinfo hints;
  gaicb request{};
};

Resolver::Resolver() = default;

Resolver::~Resolver() {
  MutexLock lock(mutex_);
  // The C library would write into freed memory; a stuck look-up must not hold up the shutdown.
  for (auto& lookup : abandoned_) {
    if (lookup->running())
      static_cast<void>(lookup.release());  // NOLINT(bugprone-unused-return-value)
  }
}

Result<std::vector<SocketAddress>> Resolver::resolve(const std::string& host, int port,
                                                     const Bounds& bounds) {
  const std::string service = std::to_string(port);
  if (auto numeric = numeric_address(host, service); !numeric.empty())
    return numeric;
  const std::string doing = "looking up " + host;
  auto lookup = std::make_unique<Lookup>(host, service);
  if (const int started = lookup->start(); started != 0)
    return fail(ErrorCode::unavailable, doing + ": " + ::gai_strerror(started));
  while (lookup->running()) {
    if (auto inside = within(bounds, doing); !inside) {
      abandon(std::move(lookup));
      return fail(std::move(inside).error());
    }
    lookup->wait(kSlice);
  }
  if (const int outcome = ::gai_error(&lookup->request); outcome != 0)
    return fail(ErrorCode::unavailable, doing + " (DNS): " + ::gai_strerror(outcome));
  auto addresses = copy_addresses(lookup->request.ar_result);
  if (addresses.empty())
    return fail(ErrorCode::unavailable, doing + " (DNS): the name has no address");
  return addresses;
}

void Resolver::abandon(std::unique_ptr<Lookup> lookup) {
  ::gai_cancel(&lookup->request);
  MutexLock lock(mutex_);
  std::erase_if(abandoned_, [](const auto& old) { return !old->running(); });
  if (lookup->running())
    abandoned_.push_back(std::move(lookup));
}

}  // namespace keyherd::net
