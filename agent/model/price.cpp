#include "model/price.hpp"

#include <algorithm>

namespace keyherd::model {

namespace {

constexpr unsigned kWeek = 7;

bool has_day(const PricePeriod& period, unsigned weekday) {
  return (period.days >> weekday & 1U) != 0;
}

bool covers(const PricePeriod& period, unsigned weekday, int minute) {
  if (period.from < period.to)
    return has_day(period, weekday) && minute >= period.from && minute < period.to;
  if (minute >= period.from)
    return has_day(period, weekday);
  return minute < period.to && has_day(period, (weekday + kWeek - 1) % kWeek);
}

}  // namespace

const Price& Tariff::at(unsigned weekday, int minute) const {
  const auto found = std::find_if(periods.begin(), periods.end(), [&](const PricePeriod& period) {
    return covers(period, weekday, minute);
  });
  return found == periods.end() ? price : found->price;
}

const Tariff* ModelPrice::tariff_at(WallTime at) const {
  const auto after =
      std::upper_bound(tariffs.begin(), tariffs.end(), at,
                       [](WallTime time, const Tariff& tariff) { return time < tariff.since; });
  return after == tariffs.begin() ? nullptr : &*std::prev(after);
}

const Price* ModelPrice::fixed() const {
  const bool is_fixed = tariffs.size() == 1 && tariffs.front().since == WallTime::min() &&
                        tariffs.front().periods.empty();
  return is_fixed ? &tariffs.front().price : nullptr;
}

}  // namespace keyherd::model
