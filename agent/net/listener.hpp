#pragma once

// The listening socket, and the descriptor that wakes the front.

#include <string>

#include "base/result.hpp"
#include "net/fd.hpp"

namespace keyherd::net {

struct Listener {
  Fd socket;
  int port = 0;
};

// address: IPv4 or IPv6 (brackets allowed), or "localhost" for 127.0.0.1; port 0: any free one. Two
// processes can never share a port. Errors: invalid (not an address of this machine), conflict (in
// use), denied (a port below 1024 without the right).
Result<Listener> open_listener(const std::string& address, int port);

// A connection without Nagle's delay, never blocking; or no socket, and errno.
struct Accepted {
  Fd socket;
  std::string peer;  // its address, without the port
  int error = 0;
};
Accepted accept_one(const Listener& listener);

// An eventfd(2).
Result<Fd> open_wake_up();
void ring(const Fd& wake_up);
void silence(const Fd& wake_up);

}  // namespace keyherd::net
