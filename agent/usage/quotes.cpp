#include "usage/quotes.hpp"

#include <algorithm>

#include "cron/calendar.hpp"

namespace keyherd::usage {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool matches(std::string_view text, std::string_view pattern) {
  return text.size() == pattern.size() &&
         std::equal(text.begin(), text.end(), pattern.begin(),
                    [](char c, char p) { return p == '9' ? is_digit(c) : c == p; });
}

std::string_view without_date(std::string_view model) {
  for (const std::string_view pattern : {"-9999-99-99", "-99999999"}) {
    if (model.size() > pattern.size() &&
        matches(model.substr(model.size() - pattern.size()), pattern))
      return model.substr(0, model.size() - pattern.size());
  }
  return model;
}

}  // namespace

const model::ModelPrice* find_price(const std::map<std::string, model::ModelPrice>& prices,
                                    const std::string& model) {
  auto found = prices.find(model);
  if (found == prices.end())
    found = prices.find(std::string(without_date(model)));
  return found == prices.end() ? nullptr : &found->second;
}

const model::Price* price_at(const model::ModelPrice& list, WallTime at) {
  const model::Tariff* tariff = list.tariff_at(at);
  if (tariff == nullptr || tariff->periods.empty())
    return tariff == nullptr ? nullptr : &tariff->price;
  const auto local = cron::local_time(at, tariff->timezone);
  return local ? &tariff->at(local->weekday, local->minute) : &tariff->price;
}

}  // namespace keyherd::usage
