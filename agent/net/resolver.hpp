#pragma once

// Host names to addresses under a deadline. getaddrinfo(3) itself knows none: a resolver that does
// not answer would hold a caller for half a minute. Any thread.

#include <sys/socket.h>

#include <memory>
#include <string>
#include <vector>

#include "base/mutex.hpp"
#include "base/result.hpp"
#include "net/waiting.hpp"

namespace keyherd::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

class Resolver {
 public:
  Resolver();
  // Look-ups that the C library still works on outlive this object.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // At least one address, in the order to try them. A numeric host needs no look-up.
  // Errors: unavailable (unknown name, no server), timeout, cancelled.
  Result<std::vector<SocketAddress>> resolve(const std::string& host, int port,
                                             const Bounds& bounds) KH_EXCLUDES(mutex_);

 private:
  class Lookup;
  Status begin(Lookup& lookup, const std::string& host) KH_EXCLUDES(mutex_);
  void abandon(std::unique_ptr<Lookup> lookup) KH_EXCLUDES(mutex_);

  Mutex mutex_;
  std::vector<std::unique_ptr<Lookup>> abandoned_ KH_GUARDED_BY(mutex_);
};

}  // namespace keyherd::net
