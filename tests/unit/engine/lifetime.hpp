#pragma once

// How long a simulation lives, and with which chances: some short lives, or a long one of
// KEYHERD_POOL_DAYS with the seed KEYHERD_POOL_SEED, or else 5 (ctest -L long).

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace keyherd::test {

struct Life {
  int days;
  std::uint32_t seed;
  bool is_long;  // its figures are worth telling
};

// For GENERATE(from_range(…)): `count` lives of so many days, or the long one.
inline std::vector<Life> lives(int count, int days) {
  if (const char* long_days = std::getenv("KEYHERD_POOL_DAYS")) {
    const char* seed = std::getenv("KEYHERD_POOL_SEED");
    return {{std::stoi(long_days),
             seed != nullptr ? static_cast<std::uint32_t>(std::stoul(seed)) : 5U, true}};
  }
  std::vector<Life> all;
  for (std::uint32_t seed = 1; seed <= static_cast<std::uint32_t>(count); ++seed)
    all.push_back({days, seed, false});
  return all;
}

}  // namespace keyherd::test
