#include "engine/pool_prices.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "probe/provider_type.hpp"
#include "usage/quotes.hpp"

namespace keyherd::engine {

namespace {

struct Tokens {
  double input = 0;  // not from the cache
  double cached = 0;
  double output = 0;
};

double cost_of(const Tokens& tokens, const model::Price& price) {
  return tokens.input * static_cast<double>(price.input) +
         tokens.cached * static_cast<double>(price.cached_input) +
         tokens.output * static_cast<double>(price.output);
}

// At the cheapest and the dearest hour.
std::pair<double, double> cost_range(const Tokens& tokens, const model::ModelPrice& list,
                                     WallTime now) {
  const model::Tariff* tariff = list.tariff_at(now);
  std::pair<double, double> range{cost_of(tokens, tariff->price), cost_of(tokens, tariff->price)};
  for (const model::PricePeriod& period : tariff->periods) {
    range.first = std::min(range.first, cost_of(tokens, period.price));
    range.second = std::max(range.second, cost_of(tokens, period.price));
  }
  return range;
}

}  // namespace

std::optional<MixPrice> mix_price(const model::Provider& provider,
                                  const std::map<std::string, model::UsageCounts>& used_by_model,
                                  WallTime now) {
  double count = 0;
  double cost = 0;
  double lowest = 0;
  double highest = 0;
  const auto add = [&](const std::string& model, const Tokens& tokens) {
    const model::ModelPrice* list = usage::find_price(provider.prices, model);
    const model::Price* price = list == nullptr ? nullptr : usage::price_at(*list, now);
    if (price == nullptr)
      return;
    count += tokens.input + tokens.cached + tokens.output;
    cost += cost_of(tokens, *price);
    const auto range = cost_range(tokens, *list, now);
    lowest += range.first;
    highest += range.second;
  };
  for (const auto& [model, counts] : used_by_model)
    add(model, {static_cast<double>(counts.input - counts.cached_input),
                static_cast<double>(counts.cached_input), static_cast<double>(counts.output)});
  if (count <= 0) {
    const probe::ProviderType* type = probe::find_provider_type(provider.type);
    add(provider.probe.model.empty() && type != nullptr ? std::string(type->chat_model)
                                                        : provider.probe.model,
        {3, 0, 1});
  }
  if (count <= 0)
    return std::nullopt;
  return MixPrice{std::llround(cost / count), std::llround(lowest / count),
                  std::llround(highest / count)};
}

}  // namespace keyherd::engine
