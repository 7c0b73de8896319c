#include "net/waiting.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace keyherd::net {

namespace {

timespec to_timespec(std::chrono::nanoseconds span) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span);
  timespec value{};
  value.tv_sec = seconds.count();
  value.tv_nsec = (span - seconds).count();
  return value;
}

}  // namespace

Status within(const Bounds& bounds, std::string_view doing) {
  if (bounds.stop.stop_requested())
    return fail(ErrorCode::cancelled, std::string(doing) + ": cancelled");
  if (std::chrono::steady_clock::now() >= bounds.deadline)
    return fail(ErrorCode::timeout, std::string(doing) + ": the deadline passed");
  return {};
}

Status wait_for(int fd, short events, const Bounds& bounds, std::string_view doing) {
  for (;;) {
    KH_TRY(within(bounds, doing));
    const auto left = bounds.deadline - std::chrono::steady_clock::now();
    const timespec timeout = to_timespec(std::max(left, std::chrono::nanoseconds::zero()));
    pollfd entry{fd, events, 0};
    const int ready = ::ppoll(&entry, 1, &timeout, nullptr);
    if (ready < 0 && errno != EINTR)
      return fail(network_error(errno, doing));
    if (ready > 0)
      return {};
  }
}

Error network_error(int error_number, std::string_view doing) {
  return Error{ErrorCode::unavailable,
               std::string(doing) + ": " + std::generic_category().message(error_number)};
}

}  // namespace keyherd::net
