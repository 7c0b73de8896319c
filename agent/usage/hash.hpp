#pragma once

// A fast 64-bit hash for names and fingerprints. Fingerprints are stored: its values never change.
// Not for secrets, and no defence against an enemy who chooses the input.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace keyherd::usage {

__extension__ using Uint128 = unsigned __int128;

constexpr std::uint64_t mix64(std::uint64_t a, std::uint64_t b) {
  const Uint128 product = static_cast<Uint128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

inline std::uint64_t hash64(std::string_view bytes) {
  constexpr std::uint64_t kA = 0xa0761d6478bd642fULL;
  constexpr std::uint64_t kB = 0xe7037ed1a0b428dbULL;
  std::uint64_t hash = kB ^ bytes.size();
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t word = 0;
  for (; left >= sizeof word; left -= sizeof word, at += sizeof word) {
    std::memcpy(&word, at, sizeof word);
    hash = mix64(hash ^ word, kA);
  }
  word = 0;
  if (left > 0)
    std::memcpy(&word, at, left);
  return mix64(hash ^ word, kA) ^ mix64(hash, kB);
}

}  // namespace keyherd::usage
