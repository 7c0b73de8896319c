#include "base/random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace keyherd {

double Random::unit() {
  constexpr double kScale = 0x1.0p-53;
  return static_cast<double>(next() >> 11U) * kScale;
}

std::chrono::nanoseconds Random::jitter(std::chrono::nanoseconds interval, double ratio) {
  const double factor = 1.0 + ratio * (2.0 * unit() - 1.0);
  return std::chrono::nanoseconds(
      static_cast<std::int64_t>(static_cast<double>(interval.count()) * factor));
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t filled = 0;
  while (filled < count) {
    const ssize_t got = ::getrandom(bytes.data() + filled, count - filled, 0);
    if (got < 0 && errno != EINTR)
      std::abort();  // the kernel always has a generator once it has booted
    if (got > 0)
      filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

std::uint64_t random_seed() {
  const std::string bytes = random_bytes(sizeof(std::uint64_t));
  std::uint64_t seed = 0;
  std::memcpy(&seed, bytes.data(), sizeof(seed));
  return seed;
}

}  // namespace keyherd
