#include "net/resolver.hpp"

#include <netdb.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <system_error>
#include <thread>

#include "base/threads.hpp"

namespace keyherd::net {

namespace {

// A bound on each wait, so that a lost wake-up can cost a moment and never a deadline.
constexpr std::chrono::milliseconds kLongestWait{100};
// Look-ups that nobody waits for any more and that still have not ended: a dead resolver must not
// collect threads.
constexpr std::size_t kMaxAbandoned = 64;

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

int look_up(const std::string& host, const std::string& port, int flags,
            std::vector<SocketAddress>& addresses) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int outcome = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (outcome != 0)
    return outcome;
  addresses = copy_addresses(found);
  ::freeaddrinfo(found);
  return 0;
}

}  // namespace

// One look-up in a thread of its own, which ends when the C library gives an answer and not before.
class Resolver::Lookup {
 public:
  Lookup(std::string host, std::string port) : host_(std::move(host)), port_(std::move(port)) {}

  // Throws std::system_error when the system has no thread left.
  void start() {
    thread_ = std::jthread([this] {
      name_thread("kh-resolver");
      run();
    });
  }

  // The answer, or why it was not waited for.
  Result<std::vector<SocketAddress>> wait(const Bounds& bounds) KH_EXCLUDES(mutex_) {
    const std::string doing = "looking up " + host_ + " (DNS)";
    MutexLock lock(mutex_);
    while (!done_) {
      KH_TRY(within(bounds, doing));
      const auto soon = std::chrono::steady_clock::now() + kLongestWait;
      changed_.wait_until(mutex_, std::min(bounds.deadline, soon), bounds.stop);
    }
    if (outcome_ != 0)
      return fail(ErrorCode::unavailable, doing + ": " + ::gai_strerror(outcome_));
    if (addresses_.empty())
      return fail(ErrorCode::unavailable, doing + ": the name has no address");
    return addresses_;
  }

  [[nodiscard]] bool is_done() const KH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return done_;
  }

 private:
  void run() KH_EXCLUDES(mutex_) {
    std::vector<SocketAddress> addresses;
    const int outcome = look_up(host_, port_, AI_ADDRCONFIG, addresses);
    MutexLock lock(mutex_);
    addresses_ = std::move(addresses);
    outcome_ = outcome;
    done_ = true;
    changed_.notify_all();
  }

  const std::string host_;
  const std::string port_;
  mutable Mutex mutex_;
  Condition changed_;
  bool done_ KH_GUARDED_BY(mutex_) = false;
  int outcome_ KH_GUARDED_BY(mutex_) = 0;
  std::vector<SocketAddress> addresses_ KH_GUARDED_BY(mutex_);
  std::jthread thread_;  // last: it ends before the rest goes
};

Resolver::Resolver() = default;

Resolver::~Resolver() {
  MutexLock lock(mutex_);
  // A thread inside the C library cannot be ended, and a shutdown does not wait for a dead
  // resolver: what such a thread still writes to is left to it.
  for (auto& lookup : abandoned_) {
    if (!lookup->is_done())
      static_cast<void>(lookup.release());  // NOLINT(bugprone-unused-return-value)
  }
}

Result<std::vector<SocketAddress>> Resolver::resolve(const std::string& host, int port,
                                                     const Bounds& bounds) {
  const std::string service = std::to_string(port);
  if (std::vector<SocketAddress> numeric; look_up(host, service, AI_NUMERICHOST, numeric) == 0)
    return numeric;
  auto lookup = std::make_unique<Lookup>(host, service);
  KH_TRY(begin(*lookup, host));
  auto addresses = lookup->wait(bounds);
  if (!addresses && !lookup->is_done())
    abandon(std::move(lookup));
  return addresses;
}

Status Resolver::begin(Lookup& lookup, const std::string& host) {
  const std::string doing = "looking up " + host + " (DNS)";
  {
    MutexLock lock(mutex_);
    std::erase_if(abandoned_, [](const auto& old) { return old->is_done(); });
    if (abandoned_.size() >= kMaxAbandoned)
      return fail(ErrorCode::unavailable, doing + ": the resolver does not answer");
  }
  try {
    lookup.start();
  } catch (const std::system_error& error) {
    return fail(ErrorCode::unavailable, doing + ": no thread for it: " + error.code().message());
  }
  return {};
}

void Resolver::abandon(std::unique_ptr<Lookup> lookup) {
  MutexLock lock(mutex_);
  abandoned_.push_back(std::move(lookup));
}

}  // namespace keyherd::net
