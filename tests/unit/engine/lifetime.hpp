#pragma once

// How long a simulation lives, and with which chances: as it says itself, or one long life of
// KEYHERD_POOL_DAYS with the seed KEYHERD_POOL_SEED, or else 5 (ctest -L long).

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

namespace keyherd::test {

struct Lifetime {
  int days;
  std::optional<std::uint32_t> long_seed;  // of a long life
};

inline Lifetime lifetime(int usual_days) {
  const char* days = std::getenv("KEYHERD_POOL_DAYS");
  const char* seed = std::getenv("KEYHERD_POOL_SEED");
  if (days == nullptr)
    return {usual_days, std::nullopt};
  return {std::stoi(days), static_cast<std::uint32_t>(seed != nullptr ? std::stoul(seed) : 5)};
}

}  // namespace keyherd::test
