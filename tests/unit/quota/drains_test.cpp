// What a wallet lost against what the logs explain.

#include <catch2/catch.hpp>

#include "quota/drains.hpp"
#include "rows.hpp"

namespace keyherd::test {

namespace {

constexpr model::NanoUsd kDollar = model::kNanosPerUsd;

model::UsageRow spent(std::string_view at, model::NanoUsd cost, std::string key = "k") {
  model::UsageRow row = usage(at, 1000, std::move(key));
  row.counts.cost = cost;
  return row;
}

model::BalanceDrop fall(std::string_view since, std::string_view at, std::int64_t nanos,
                        std::string key = "k", std::string currency = "USD") {
  return {std::move(key), std::move(currency), model::bucket_of(utc(at)), nanos, 0, utc(since)};
}

quota::Drains drains_of(std::vector<std::string> keys,
                        std::map<std::string, model::NanoUsd> rates = {}) {
  const std::string owner = keys.size() == 1 ? keys.front() : "group:g";
  return quota::Drains({{owner, "p", std::move(keys), std::move(rates)}});
}

std::vector<model::WalletDrain> day(const quota::Drains& drains) {
  return drains.between(utc("2026-05-01 00:00"), utc("2026-05-02 00:00"));
}

}  // namespace

TEST_CASE("a fall that the log explains leaves nothing unaccounted") {
  quota::Drains drains = drains_of({"k"});
  drains.add(spent("2026-05-01 10:00", 2 * kDollar));
  drains.add(fall("2026-05-01 09:58", "2026-05-01 10:05", 2 * kDollar));
  REQUIRE(day(drains).size() == 1);
  CHECK(day(drains)[0].unaccounted == 0);
  CHECK(day(drains)[0].explained == 2 * kDollar);
  CHECK_FALSE(day(drains)[0].silent);
}

TEST_CASE("a fall beyond the log is unaccounted, and one without a line is silent") {
  quota::Drains drains = drains_of({"k"});
  drains.add(fall("2026-05-01 09:58", "2026-05-01 10:05", 5 * kDollar));
  CHECK(day(drains)[0].unaccounted == 5 * kDollar);
  CHECK(day(drains)[0].silent);
  drains.add(spent("2026-05-01 10:00", 2 * kDollar));
  CHECK(day(drains)[0].unaccounted == 3 * kDollar);
  CHECK_FALSE(day(drains)[0].silent);
}

TEST_CASE("usage at the edge of the looks counts for the log, far from them it does not") {
  quota::Drains drains = drains_of({"k"});
  drains.add(fall("2026-05-01 10:00", "2026-05-01 10:10", 4 * kDollar));
  drains.add(spent("2026-05-01 09:45", kDollar));
  drains.add(spent("2026-05-01 10:15", kDollar));
  drains.add(spent("2026-05-01 09:30", 100 * kDollar));
  drains.add(spent("2026-05-01 10:30", 100 * kDollar));
  CHECK(day(drains)[0].explained == 2 * kDollar);
  CHECK(day(drains)[0].unaccounted == 2 * kDollar);
}

TEST_CASE("keys of a group see one wallet: the larger fall counts once, all their usage explains") {
  quota::Drains drains = drains_of({"a", "b", "c"});
  drains.add(fall("2026-05-01 10:00", "2026-05-01 10:10", 6 * kDollar, "a"));
  drains.add(fall("2026-05-01 10:01", "2026-05-01 10:11", 5 * kDollar, "b"));
  drains.add(spent("2026-05-01 10:00", kDollar, "a"));
  drains.add(spent("2026-05-01 10:00", kDollar, "c"));
  REQUIRE(day(drains).size() == 1);
  CHECK(day(drains)[0].owner == "group:g");
  CHECK(day(drains)[0].unaccounted == 4 * kDollar);
}

TEST_CASE("a fall in another currency needs its rate") {
  const auto rate = model::parse_usd("0.14").value();
  for (const bool known : {true, false}) {
    quota::Drains drains =
        drains_of({"k"}, known ? std::map<std::string, model::NanoUsd>{{"CNY", rate}}
                               : std::map<std::string, model::NanoUsd>{});
    drains.add(fall("2026-05-01 10:00", "2026-05-01 10:10", 10 * kDollar, "k", "CNY"));
    drains.add(spent("2026-05-01 10:00", kDollar));
    CHECK(day(drains)[0].unaccounted ==
          (known ? std::optional(2 * kDollar / 5) : std::optional<model::NanoUsd>()));
  }
}

TEST_CASE("falls in two currencies of one wallet are explained by the same usage once") {
  quota::Drains drains = drains_of({"k"}, {{"CNY", kDollar / 10}});
  drains.add(fall("2026-05-01 10:00", "2026-05-01 10:10", 10 * kDollar, "k", "CNY"));
  drains.add(fall("2026-05-01 10:00", "2026-05-01 10:10", kDollar));
  drains.add(spent("2026-05-01 10:00", kDollar));
  REQUIRE(day(drains).size() == 1);
  CHECK(day(drains)[0].dropped.size() == 2);
  CHECK(day(drains)[0].unaccounted == kDollar);
}

TEST_CASE("nothing is said of a wallet with usage that has no price") {
  quota::Drains drains = drains_of({"k"});
  drains.add(fall("2026-05-01 10:00", "2026-05-01 10:10", 9 * kDollar));
  model::UsageRow row = spent("2026-05-01 10:00", 0);
  row.counts.unpriced = 1;
  drains.add(row);
  CHECK(day(drains)[0].unaccounted == std::nullopt);
  CHECK(day(drains)[0].unpriced == 1);
}

TEST_CASE("what our own probes cost is explained") {
  quota::Drains drains = drains_of({"k"});
  model::BalanceDrop drop = fall("2026-05-01 10:00", "2026-05-01 10:10", kDollar);
  drop.probe_cost = kDollar / 4;
  drains.add(drop);
  CHECK(day(drains)[0].unaccounted == kDollar * 3 / 4);
}

TEST_CASE("falls outside the range are not asked for, and what is forgotten is gone") {
  quota::Drains drains = drains_of({"k"});
  drains.add(fall("2026-04-30 23:00", "2026-04-30 23:50", kDollar));
  drains.add(fall("2026-05-01 23:00", "2026-05-02 00:00", kDollar));
  CHECK(day(drains).empty());
  CHECK(drains.between(utc("2026-04-30 00:00"), WallTime::max())[0].unaccounted == 2 * kDollar);
  drains.forget_before(utc("2026-04-30 23:01"));
  CHECK(drains.between(WallTime::min(), WallTime::max())[0].unaccounted == kDollar);
}

TEST_CASE("a reload keeps what is known of the keys that stay") {
  quota::Drains before = drains_of({"k"});
  before.add(fall("2026-05-01 10:00", "2026-05-01 10:10", kDollar));
  quota::Drains after = drains_of({"j", "k"});
  after.inherit(before);
  REQUIRE(day(after).size() == 1);
  CHECK(day(after)[0].owner == "group:g");
}

}  // namespace keyherd::test
