#pragma once

// What a model's tokens cost at a time. Pure.

#include <map>
#include <string>

#include "base/clock.hpp"
#include "model/price.hpp"

namespace keyherd::usage {

// By the model's name, else by its name without a date at its end; null when it is not listed.
const model::ModelPrice* find_price(const std::map<std::string, model::ModelPrice>& prices,
                                    const std::string& model);

// Null before its first tariff. It points into `list`.
const model::Price* price_at(const model::ModelPrice& list, WallTime at);

}  // namespace keyherd::usage
