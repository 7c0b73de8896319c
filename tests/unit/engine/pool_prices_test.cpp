#include "engine/pool_prices.hpp"

#include <catch2/catch.hpp>

#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace keyherd::engine;

namespace {

constexpr model::NanoUsd kUsd = model::kNanosPerUsd;

model::UsageCounts tokens(std::int64_t input, std::int64_t cached, std::int64_t output) {
  model::UsageCounts counts;
  counts.input = input;
  counts.cached_input = cached;
  counts.output = output;
  return counts;
}

// Half price from 00:30 to 08:30 in Shanghai.
model::Provider with_cheap_nights() {
  model::Provider provider;
  provider.probe.model = "small";
  model::Tariff tariff;
  tariff.price = {2 * kUsd, kUsd, 0, 4 * kUsd};
  tariff.timezone = "Asia/Shanghai";
  tariff.periods = {{0x7F, 30, 510, {kUsd, kUsd / 2, 0, 2 * kUsd}}};
  provider.prices["small"].tariffs = {tariff};
  provider.prices["large"] = model::Price{20 * kUsd, 20 * kUsd, 0, 40 * kUsd};
  return provider;
}

const WallTime kMidnight = test::ManualClock().now().wall;  // 08:00 in Shanghai

}  // namespace

TEST_CASE("without use a price is of three prompt tokens to one of an answer, by the hour") {
  const model::Provider provider = with_cheap_nights();
  const auto night = mix_price(provider, {}, kMidnight);
  REQUIRE(night);
  CHECK(night->now == (3 * kUsd + 2 * kUsd) / 4);
  CHECK(night->lowest == night->now);
  CHECK(night->highest == 2 * night->now);
  const auto day = mix_price(provider, {}, kMidnight + std::chrono::minutes(30));
  REQUIRE(day);
  CHECK(day->now == 2 * night->now);
  CHECK(day->lowest == night->now);
}

TEST_CASE("a price follows what the pool uses: models, the cache, prompts and answers") {
  const model::Provider provider = with_cheap_nights();
  const auto at = kMidnight + std::chrono::hours(6);
  CHECK(mix_price(provider, {{"small", tokens(100, 100, 0)}}, at)->now == kUsd);
  CHECK(mix_price(provider, {{"small", tokens(0, 0, 100)}}, at)->now == 4 * kUsd);
  const auto mixed =
      mix_price(provider, {{"small", tokens(50, 0, 0)}, {"large", tokens(50, 0, 0)}}, at);
  CHECK(mixed->now == 11 * kUsd);
  CHECK(mixed->lowest == (20 * kUsd + kUsd) / 2);
}

TEST_CASE("models without a price do not count, and without any price none is known") {
  model::Provider provider = with_cheap_nights();
  CHECK(mix_price(provider, {{"other", tokens(1'000, 0, 0)}}, kMidnight)->now ==
        mix_price(provider, {}, kMidnight)->now);
  provider.prices.clear();
  CHECK_FALSE(mix_price(provider, {{"small", tokens(1, 0, 0)}}, kMidnight));
}
