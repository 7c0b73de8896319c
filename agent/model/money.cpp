#include "model/money.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace keyherd::model {

namespace {

struct Decimal {
  std::string digits;  // without leading zeros
  int exponent = 0;    // value = digits × 10^exponent
};

std::optional<int> parse_exponent(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+'))
    text.remove_prefix(1);
  if (text.empty() || text.size() > 3)
    return std::nullopt;
  int value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9')
      return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return negative ? -value : value;
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal result;
  bool any_digit = false;
  bool after_point = false;
  std::size_t at = 0;
  for (; at < text.size() && text[at] != 'e' && text[at] != 'E'; ++at) {
    const char c = text[at];
    if (c == '.' && !after_point) {
      after_point = true;
    } else if (c >= '0' && c <= '9') {
      any_digit = true;
      if (c != '0' || !result.digits.empty())
        result.digits += c;
      result.exponent -= after_point ? 1 : 0;
    } else {
      return std::nullopt;
    }
  }
  if (!any_digit)
    return std::nullopt;
  if (at < text.size()) {
    const auto exponent = parse_exponent(text.substr(at + 1));
    if (!exponent)
      return std::nullopt;
    result.exponent += *exponent;
  }
  return result;
}

constexpr int kNanoDigits = 9;
__extension__ using WideInt = __int128;

}  // namespace

std::optional<NanoUsd> parse_usd(std::string_view decimal) {
  const auto parsed = parse_decimal(decimal);
  if (!parsed)
    return std::nullopt;
  if (parsed->digits.empty())
    return 0;
  // How many of the digits are whole nanos; the next one decides the rounding.
  const int whole = static_cast<int>(parsed->digits.size()) + parsed->exponent + kNanoDigits;
  if (whole < 0)
    return 0;
  if (whole > 19)
    return std::nullopt;
  NanoUsd nanos = 0;
  for (int i = 0; i < whole; ++i) {
    const auto index = static_cast<std::size_t>(i);
    const int digit = index < parsed->digits.size() ? parsed->digits[index] - '0' : 0;
    if (__builtin_mul_overflow(nanos, NanoUsd{10}, &nanos) ||
        __builtin_add_overflow(nanos, NanoUsd{digit}, &nanos))
      return std::nullopt;
  }
  const auto next = static_cast<std::size_t>(whole);
  if (next < parsed->digits.size() && parsed->digits[next] >= '5' &&
      __builtin_add_overflow(nanos, NanoUsd{1}, &nanos))
    return std::nullopt;
  return nanos;
}

NanoUsd convert(std::int64_t nanos, NanoUsd rate) {
  const WideInt product = static_cast<WideInt>(nanos) * rate;
  const WideInt half = product < 0 ? -kNanosPerUsd / 2 : kNanosPerUsd / 2;
  const WideInt usd = (product + half) / kNanosPerUsd;
  return static_cast<NanoUsd>(std::clamp<WideInt>(usd, std::numeric_limits<NanoUsd>::min(),
                                                  std::numeric_limits<NanoUsd>::max()));
}

std::string format_usd(NanoUsd nanos) {
  const bool negative = nanos < 0;
  const auto magnitude =
      negative ? 0 - static_cast<std::uint64_t>(nanos) : static_cast<std::uint64_t>(nanos);
  const std::uint64_t whole = magnitude / static_cast<std::uint64_t>(kNanosPerUsd);
  std::string fraction = fmt::format("{:09}", magnitude % static_cast<std::uint64_t>(kNanosPerUsd));
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return fmt::format("{}{}{}{}", negative ? "-" : "", whole, fraction.empty() ? "" : ".", fraction);
}

double to_usd(NanoUsd nanos) {
  return static_cast<double>(nanos) / static_cast<double>(kNanosPerUsd);
}

}  // namespace keyherd::model
