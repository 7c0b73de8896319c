#include "base/clock.hpp"

namespace keyherd {

Instant SystemClock::now() const {
  return Instant{std::chrono::system_clock::now(), std::chrono::steady_clock::now()};
}

}  // namespace keyherd
