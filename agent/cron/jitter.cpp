#include "cron/jitter.hpp"

#include <cstdint>

namespace keyherd::cron {

std::chrono::seconds stable_delay(std::string_view name, std::chrono::nanoseconds width) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(width).count();
  if (whole <= 1)
    return std::chrono::seconds(0);
  // FNV-1a, and a last mix, since names often differ in their last character only.
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  hash = (hash ^ (hash >> 33U)) * 0xff51afd7ed558ccdULL;
  hash ^= hash >> 33U;
  return std::chrono::seconds(static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(whole)));
}

}  // namespace keyherd::cron
