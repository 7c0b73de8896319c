// What lies ahead if use goes on as in the last hour.

#include "quota/forecast.hpp"

#include <catch2/catch.hpp>

#include "rows.hpp"

namespace keyherd::test {

namespace {

using namespace std::chrono_literals;

const WallTime kNow = utc("2026-05-01 12:00");

model::QuotaStatus limit(const std::string& owner, std::int64_t used, std::int64_t limit,
                         std::int64_t burned_per_hour, WallTime resets_at = kNow + 6h,
                         model::QuotaUnit unit = model::QuotaUnit::tokens) {
  model::QuotaStatus status;
  status.quota = "q";
  status.owner = owner;
  status.unit = unit;
  status.used = used;
  status.limit = limit;
  status.resets_at = resets_at;
  status.window_length = 24h;
  status.burn = {burned_per_hour, 1h};
  return status;
}

quota::PoolMember member(const std::string& key, std::vector<model::QuotaStatus> limits,
                         std::string group = "", bool usable = true) {
  return {key, group.empty() ? key : group, usable, std::move(limits)};
}

}  // namespace

TEST_CASE("a limit is used up when what is left has burned") {
  model::QuotaStatus status = limit("k", 400, 1000, 100);
  quota::add_forecast(status, false, kNow);
  CHECK(status.exhausted_at == kNow + 6h);
  CHECK_FALSE(status.exhausts_before_reset);  // at the reset, not before
  status.used = 401;
  quota::add_forecast(status, false, kNow);
  CHECK(status.exhausts_before_reset);
  status.burn.amount = 0;
  quota::add_forecast(status, false, kNow);
  CHECK(status.exhausted_at == std::nullopt);
  status.burn.amount = 100;
  status.used = 1000;
  quota::add_forecast(status, false, kNow);
  CHECK(status.exhausted_at == std::nullopt);
}

TEST_CASE("a limit without a reset is used up one day, a rolling one only if its rate fills it") {
  model::QuotaStatus status = limit("k", 0, 1000, 1);
  status.resets_at.reset();
  quota::add_forecast(status, false, kNow);
  CHECK(status.exhausted_at == kNow + 1000h);
  CHECK(status.exhausts_before_reset);
  status.resets_at = kNow + 24h;
  status.burn.amount = 41;  // 984 in 24 h
  quota::add_forecast(status, true, kNow);
  CHECK(status.exhausted_at == std::nullopt);
  status.burn.amount = 50;
  quota::add_forecast(status, true, kNow);
  CHECK(status.exhausted_at == kNow + 20h);
  CHECK(status.exhausts_before_reset);
}

TEST_CASE("huge amounts of money neither overflow nor end in ten thousand years") {
  CHECK(quota::used_up_at(9'000'000'000'000'000'000, {1, 1h}, kNow) == std::nullopt);
  CHECK(quota::used_up_at(9'000'000'000'000'000'000, {4'500'000'000'000'000'000, 1h}, kNow) ==
        kNow + 2h);
}

TEST_CASE(
    "a pool survives the loss of its biggest key when the others carry its use to the reset") {
  // 300 an hour for six hours; each key has 1,000 left: two carry 2,000 of 1,800.
  const auto pool = [](std::int64_t burn) {
    return std::vector<quota::PoolMember>{member("a", {limit("a", 0, 1000, burn)}),
                                          member("b", {limit("b", 0, 1000, burn)}),
                                          member("c", {limit("c", 0, 1000, burn)})};
  };
  CHECK(quota::forecast_pool(pool(100), kNow).survives_key_loss);
  CHECK(quota::forecast_pool(pool(100), kNow).exhausted_at == std::nullopt);
  CHECK_FALSE(quota::forecast_pool(pool(150), kNow).survives_key_loss);
  CHECK(quota::forecast_pool(pool(150), kNow).exhausted_at == std::nullopt);
  CHECK(quota::forecast_pool(pool(200), kNow).exhausted_at == kNow + 5h);
}

TEST_CASE("it is the biggest key that is lost, and a key that is down still has its use") {
  std::vector<quota::PoolMember> pool{member("big", {limit("big", 0, 100'000, 100)}),
                                      member("small", {limit("small", 0, 500, 0)})};
  CHECK_FALSE(quota::forecast_pool(pool, kNow).survives_key_loss);
  pool[1].limits[0].limit = 1000;
  CHECK(quota::forecast_pool(pool, kNow).survives_key_loss);
  pool.push_back(member("down", {limit("down", 0, 1000, 100)}, "", false));
  CHECK_FALSE(quota::forecast_pool(pool, kNow).survives_key_loss);
}

TEST_CASE("resets on the way refill") {
  const std::vector<quota::PoolMember> pool{
      member("a", {limit("a", 0, 100'000, 0)}),
      member("b", {limit("b", 900, 1000, 100, kNow + 30min)}),
      member("c", {limit("c", 1000, 1000, 0, kNow + 8h)}, "", true)};
  // Without a: 100 left for 100 an hour, 1,000 more after half an hour, to last until 8 h.
  CHECK(quota::forecast_pool(pool, kNow).survives_key_loss);
  auto late = pool;
  late[1].limits[0].resets_at = kNow + 2h;
  CHECK_FALSE(quota::forecast_pool(late, kNow).survives_key_loss);
}

TEST_CASE("a member without a limit has no end, two of them survive anything") {
  std::vector<quota::PoolMember> pool{member("free", {}),
                                      member("tight", {limit("tight", 990, 1000, 100)})};
  CHECK_FALSE(quota::forecast_pool(pool, kNow).survives_key_loss);
  CHECK(quota::forecast_pool(pool, kNow).exhausted_at == std::nullopt);
  pool.push_back(member("free-too", {}));
  CHECK(quota::forecast_pool(pool, kNow).survives_key_loss);
}

TEST_CASE("keys of one group share its limit: it counts once, and the group is lost as one") {
  const model::QuotaStatus shared = limit("group:g", 0, 1000, 100);
  std::vector<quota::PoolMember> pool{member("a", {shared, limit("a", 0, 5000, 50)}, "g"),
                                      member("b", {shared, limit("b", 0, 5000, 50)}, "g"),
                                      member("c", {limit("c", 0, 700, 0)}, "h")};
  CHECK(quota::forecast_pool(pool, kNow).survives_key_loss);  // c carries 600
  pool[2].limits[0].limit = 500;
  CHECK_FALSE(quota::forecast_pool(pool, kNow).survives_key_loss);
}

TEST_CASE("each unit must carry by itself") {
  const auto usd = model::QuotaUnit::usd;
  std::vector<quota::PoolMember> pool{
      member("a", {limit("a", 0, 100'000, 1), limit("a", 0, 1000, 200, kNow + 6h, usd)}),
      member("b", {limit("b", 0, 100'000, 1), limit("b", 0, 1000, 0, kNow + 6h, usd)})};
  CHECK_FALSE(quota::forecast_pool(pool, kNow).survives_key_loss);
  pool[1].limits[1].limit = 1300;
  pool[0].limits[1].limit = 1100;
  CHECK_FALSE(quota::forecast_pool(pool, kNow).survives_key_loss);  // the bigger one is lost
  pool[0].limits[1].limit = 1300;
  CHECK(quota::forecast_pool(pool, kNow).survives_key_loss);
}

TEST_CASE("the rate is that of the last hour, from the history at a start") {
  quota::Ledger ledger = ledger_of(quota(model::WindowKind::day, 10'000));
  const quota::HistoryNeed need = ledger.burn_needed(utc("2026-05-01 12:07"));
  CHECK(need.usage_from == utc("2026-05-01 11:00"));
  CHECK(need.keys == std::vector<std::string>{"k"});
  ledger.seed_burn({usage("2026-05-01 10:45", 5000), usage("2026-05-01 11:00", 300),
                    usage("2026-05-01 12:00", 100)},
                   {});
  CHECK(ledger.burn_needed(utc("2026-05-01 12:07")).empty());
  seed(ledger, {}, {}, "2026-05-01 12:07");
  model::BurnRate rate = status(ledger, "2026-05-01 12:07").burn;
  CHECK(rate.amount == 400);
  CHECK(rate.over == 67min);
  ledger.observe({usage("2026-05-01 12:00", 50)}, {});
  CHECK(status(ledger, "2026-05-01 12:07").burn.amount == 450);
  CHECK(status(ledger, "2026-05-01 12:20").burn.amount == 150);  // 11:00 is over
  CHECK(status(ledger, "2026-05-01 14:00").burn.amount == 0);

  // A reload keeps it.
  quota::Ledger again = ledger_of(quota(model::WindowKind::day, 20'000));
  again.inherit(ledger, utc("2026-05-01 12:07"));
  CHECK(again.burn_needed(utc("2026-05-01 12:07")).empty());
  CHECK(status(again, "2026-05-01 12:07").burn.amount == 450);
}

TEST_CASE("rows by the minute burn too") {
  quota::Ledger ledger = ledger_of(rolling_quota(60min, 10'000));
  CHECK(ledger.burn_needed(utc("2026-05-01 12:07")).minutes_from == utc("2026-05-01 11:00"));
  ledger.observe({usage("2026-05-01 12:00", 7)},
                 {minute("2026-05-01 12:01", 50), minute("2026-05-01 11:59", 3)});
  CHECK(status(ledger, "2026-05-01 12:07").burn.amount == 53);
}

}  // namespace keyherd::test
