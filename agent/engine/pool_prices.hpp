#pragma once

// What tokens cost with the keys of a pool: so that one key can be told to be cheaper than another.

#include <map>
#include <optional>
#include <string>

#include "engine/key_record.hpp"
#include "model/provider.hpp"

namespace keyherd::engine {

// Of one provider, in nano-USD per million tokens of the pool's mix.
struct MixPrice {
  model::NanoUsd now = 0;
  // At the cheapest and the dearest hour of the tariffs that hold now.
  model::NanoUsd lowest = 0;
  model::NanoUsd highest = 0;
};

// The mix is what the pool's keys at the provider have used so far, by model; without any use (or
// any price of it) three prompt tokens to one of an answer of the provider's probe model. Nothing
// when no price is known.
std::optional<MixPrice> mix_price(const model::Provider& provider,
                                  const std::map<std::string, model::UsageCounts>& used_by_model,
                                  WallTime now);

}  // namespace keyherd::engine
