#pragma once

// What bounds every wait of an outgoing request, and the one way to wait. Any thread.

#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace keyherd::net {

struct Bounds {
  SteadyTime deadline;
  std::stop_token stop;
};

// Fails with timeout or cancelled when the bounds are reached already.
Status within(const Bounds& bounds, std::string_view doing);

// Waits until poll(2) reports `events` (or an error or hang-up) on the descriptor. Whoever passes a
// stop token shuts the socket down when it fires, which ends the wait.
// Errors: timeout, cancelled; `doing` opens the message.
Status wait_for(int fd, short events, const Bounds& bounds, std::string_view doing);

// unavailable: "doing: what errno says".
Error network_error(int error_number, std::string_view doing);

}  // namespace keyherd::net
