#pragma once

// What the tokens of a model cost, as it changes over the hours of a day and over the years.

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "model/money.hpp"

namespace keyherd::model {

// USD per million tokens, in nano-USD per million tokens: 0.42 USD → 420'000'000.
struct Price {
  NanoUsd input = 0;
  NanoUsd cached_input = 0;
  NanoUsd cache_write = 0;
  NanoUsd output = 0;
  friend bool operator==(const Price&, const Price&) = default;
};

// Hours of the local day with a price of their own. They begin and end on quarters of an hour, so
// that a bucket of usage has one price. Where `to` is not above `from` they go over midnight, and
// `days` are those on which they begin.
struct PricePeriod {
  std::uint8_t days = 0x7F;  // bit 0: Sunday
  int from = 0;              // minute of the day
  int to = 24 * 60;          // exclusive
  Price price;
  friend bool operator==(const PricePeriod&, const PricePeriod&) = default;
};

// What holds from an instant on.
struct Tariff {
  WallTime since = WallTime::min();
  Price price;                       // outside of the periods
  std::string timezone = "UTC";      // of the periods
  std::vector<PricePeriod> periods;  // the first that fits counts
  friend bool operator==(const Tariff&, const Tariff&) = default;

  // At a local time of its zone; weekday from 0, Sunday.
  [[nodiscard]] const Price& at(unsigned weekday, int minute) const;
};

struct ModelPrice {
  ModelPrice() = default;
  // One that never changes.
  ModelPrice(Price price) { tariffs.push_back({WallTime::min(), price, "UTC", {}}); }
  ModelPrice(NanoUsd input, NanoUsd cached_input, NanoUsd cache_write, NanoUsd output)
      : ModelPrice(Price{input, cached_input, cache_write, output}) {}

  std::vector<Tariff> tariffs;  // ascending by `since`; none: not known
  bool listed = false;          // from a price list, not from the provider's own prices
  friend bool operator==(const ModelPrice&, const ModelPrice&) = default;

  // Null before the first.
  [[nodiscard]] const Tariff* tariff_at(WallTime at) const;
  // The price, where it is the same at all times; else null.
  [[nodiscard]] const Price* fixed() const;
};

}  // namespace keyherd::model
