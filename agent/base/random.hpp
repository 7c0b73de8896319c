#pragma once

// Chance is an input too: jitter and tie-breaks come from a Random that tests fix.

#include <chrono>
#include <cstdint>
#include <random>
#include <string>

namespace keyherd {

class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;

  // Uniform in [0, 1).
  double unit();
  // Uniform in [interval × (1 - ratio), interval × (1 + ratio)]; ratio in 0..1.
  std::chrono::nanoseconds jitter(std::chrono::nanoseconds interval, double ratio);
};

// Not for secrets. One owner, one thread.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

// Bytes from the operating system's generator, good enough for keys and tokens.
std::string random_bytes(std::size_t count);
// A seed for SeededRandom from the same source.
std::uint64_t random_seed();

}  // namespace keyherd
