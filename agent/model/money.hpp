#pragma once

// Money is integer nano-USD (10⁻⁹ USD), tokens are int64; sums saturate at the ends of the range
// and say so, they never wrap. Floating point appears only at the edge, for display.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace keyherd::model {

using NanoUsd = std::int64_t;
inline constexpr NanoUsd kNanosPerUsd = 1'000'000'000;

// a + b, clamped to the range of int64.
constexpr std::int64_t saturating_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum))
    return b > 0 ? std::numeric_limits<std::int64_t>::max()
                 : std::numeric_limits<std::int64_t>::min();
  return sum;
}

constexpr std::int64_t saturating_sub(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(a, b, &difference))
    return b < 0 ? std::numeric_limits<std::int64_t>::max()
                 : std::numeric_limits<std::int64_t>::min();
  return difference;
}

// "0.000132", "1.5e-4", "12": exact to a nano, rounded half up beyond; nothing if it is not a
// decimal number, negative, or does not fit.
std::optional<NanoUsd> parse_usd(std::string_view decimal);

// An amount of a currency (nanos, of either sign) at a rate of nano-USD for one unit of it:
// nano-USD, rounded half away from zero, clamped to the range of int64.
NanoUsd convert(std::int64_t nanos, NanoUsd rate);

// Exact, without trailing zeros: 132000 → "0.000132".
std::string format_usd(NanoUsd nanos);
double to_usd(NanoUsd nanos);

}  // namespace keyherd::model
