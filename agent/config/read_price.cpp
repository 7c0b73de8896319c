#include <fmt/format.h>

#include <algorithm>

#include "config/sections.hpp"
#include "config/values.hpp"

namespace keyherd::config {

namespace {

constexpr int kMinutesADay = 24 * 60;

// What the provider bills, as USD.
model::Price read_numbers(const TableReader& reader, model::NanoUsd rate) {
  const auto usd = [&](std::string_view name) -> std::optional<model::NanoUsd> {
    const auto amount = reader.usd(name);
    return amount ? std::optional(model::convert(*amount, rate)) : std::nullopt;
  };
  model::Price price;
  price.input = usd("input").value_or(0);
  price.cached_input = usd("cached_input").value_or(price.input);
  price.cache_write = usd("cache_write").value_or(price.input);
  price.output = usd("output").value_or(0);
  return price;
}

int read_quarter(const TableReader& reader, std::string_view name, int fallback) {
  const auto written = reader.text(name);
  const auto minute = written ? parse_quarter(*written) : std::nullopt;
  if (written && !minute)
    reader.error(name, "is no quarter of an hour, such as \"09:00\" or \"24:00\"");
  return minute ? static_cast<int>(minute->count()) : fallback;
}

model::PricePeriod read_period(const TableReader& reader, model::NanoUsd rate) {
  const std::vector<std::string> week =
      choice_list(*find_field(section(SectionId::price_period), "days"));
  model::PricePeriod period;
  if (const auto days = reader.choices("days")) {
    unsigned chosen = 0;
    for (const std::string& day : *days)
      chosen |=
          1U << static_cast<unsigned>(std::find(week.begin(), week.end(), day) - week.begin());
    if (chosen == 0)
      reader.error("days", "must name at least one day; leave it out for all");
    period.days = static_cast<std::uint8_t>(chosen);
  }
  period.from = read_quarter(reader, "from", period.from);
  period.to = read_quarter(reader, "to", period.to);
  if (period.from == period.to || period.from == kMinutesADay)
    reader.error("the period is empty");
  period.price = read_numbers(reader, rate);
  return period;
}

}  // namespace

model::ModelPrice read_price(const TableReader& reader, model::NanoUsd rate) {
  model::ModelPrice price;
  WallTime since = WallTime::min();
  reader.each_in_list("earlier", SectionId::price_earlier, [&](const TableReader& table) {
    price.tariffs.push_back({since, read_numbers(table, rate), "UTC", {}});
    const WallTime until = table.time("until").value_or(since);
    if (until <= since && table.has("until"))
      table.error("until", "must be later than that of the entry before");
    since = until;
  });
  model::Tariff now{since, read_numbers(reader, rate), "UTC", {}};
  now.timezone = reader.timezone("timezone").value_or(now.timezone);
  reader.each_in_list("periods", SectionId::price_period, [&](const TableReader& table) {
    now.periods.push_back(read_period(table, rate));
  });
  price.tariffs.push_back(std::move(now));
  return price;
}

std::optional<model::BilledIn> read_currency(const TableReader& reader) {
  constexpr std::string_view kUsd = "USD";
  const std::string currency = reader.text("currency").value_or(std::string(kUsd));
  const bool is_code =
      currency.size() == 3 &&
      std::all_of(currency.begin(), currency.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!is_code)
    reader.error("currency", "is no code of a currency, such as \"CNY\"");
  const auto rate = reader.usd("usd_rate");
  if (currency == kUsd) {
    if (rate)
      reader.error("usd_rate", "is for another currency: name it in `currency`");
    return std::nullopt;
  }
  if (!reader.has("usd_rate"))
    reader.error("currency", "needs usd_rate: how many USD one unit of it is worth");
  else if (rate && *rate <= 0)
    reader.error("usd_rate", "must be above 0");
  return model::BilledIn{currency, rate.value_or(model::kNanosPerUsd)};
}

}  // namespace keyherd::config
