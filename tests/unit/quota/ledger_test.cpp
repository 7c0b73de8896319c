#include "quota/ledger.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <map>
#include <random>

#include "rows.hpp"

namespace keyherd::test {
namespace {

using model::WindowKind;
using namespace std::chrono_literals;
using Levels = std::vector<std::string>;

TEST_CASE("rows add up in the window of the quota's time zone") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::day, 1000, "Asia/Singapore"));
  const quota::Change change = apply(
      ledger,
      {usage("2026-05-01 15:59", 5), usage("2026-05-01 16:00", 7), usage("2026-05-01 20:00", 30)},
      "2026-05-01 20:01");
  const model::QuotaStatus now = status(ledger, "2026-05-01 20:01");
  CHECK(now.used == 37);
  CHECK(now.limit == 1000);
  CHECK(now.resets_at == utc("2026-05-02 16:00"));
  CHECK(now.window_length == std::chrono::nanoseconds(24h));
  CHECK(now.level == 0);
  REQUIRE(change.windows.size() == 1);
  CHECK(change.windows[0].quota == "q");
  CHECK(change.windows[0].owner == "k");
  CHECK(change.windows[0].start == utc("2026-05-01 16:00"));
  CHECK(change.windows[0].end == utc("2026-05-02 16:00"));
  CHECK(change.windows[0].used == 37);
  CHECK(change.windows[0].level_fired == 0);
  CHECK(change.crossings.empty());
}

TEST_CASE("each unit counts its own part") {
  model::UsageCounts counts;
  counts.requests = 3;
  counts.failed = 1;
  counts.input = 100;
  counts.cached_input = 60;
  counts.output = 20;
  counts.cost = 5'000;
  const std::vector<std::pair<model::QuotaUnit, std::int64_t>> expected{
      {model::QuotaUnit::tokens, 120},
      {model::QuotaUnit::input_tokens, 100},
      {model::QuotaUnit::output_tokens, 20},
      {model::QuotaUnit::requests, 3},
      {model::QuotaUnit::usd, 5'000}};
  for (const auto& [unit, amount] : expected) {
    model::Quota one = quota(WindowKind::day, 1'000'000);
    one.unit = unit;
    quota::Ledger ledger = ledger_of(one);
    apply(ledger, {{"k", "m", model::bucket_of(utc("2026-05-01 10:00")), counts}},
          "2026-05-01 10:01");
    INFO("unit " << model::to_string(unit));
    CHECK(used(ledger, "2026-05-01 10:01") == amount);
  }
}

TEST_CASE("a group sums its keys, and a key's own quota only its own") {
  model::Quota own = quota(WindowKind::day, 100);
  own.id = "own";
  model::Quota shared = quota(WindowKind::month, 1000);
  shared.id = "shared";
  std::vector<quota::Assignment> assignments{
      {own, "a", {"a"}}, {own, "b", {"b"}}, {shared, "group:acct", {"a", "b", "a"}}};
  quota::Ledger ledger = quota::Ledger::make(assignments).value();
  apply(ledger,
        {usage("2026-05-01 10:00", 40, "a"), usage("2026-05-01 10:00", 100, "b"),
         usage("2026-05-01 10:00", 1, "stranger")},
        "2026-05-01 10:01");
  CHECK(status(ledger, "2026-05-01 10:01", "a").used == 40);
  CHECK(status(ledger, "2026-05-01 10:01", "b").used == 100);
  CHECK(status(ledger, "2026-05-01 10:01", "group:acct").used == 140);
  CHECK(ledger.status(utc("2026-05-01 10:01")).size() == 3);
  CHECK(ledger.status("nobody", utc("2026-05-01 10:01")).empty());
  CHECK_FALSE(ledger.exhausted("a", utc("2026-05-01 10:01")).has_value());
  CHECK(ledger.exhausted("b", utc("2026-05-01 10:01"))->until == utc("2026-05-02 00:00"));
  apply(ledger, {usage("2026-05-01 10:00", 900, "b")}, "2026-05-01 10:02");
  const auto held = ledger.exhausted("a", utc("2026-05-01 10:02"));
  REQUIRE(held.has_value());
  CHECK(held->quota == "shared");
  CHECK(held->owner == "group:acct");
  CHECK(held->until == utc("2026-06-01 00:00"));
  CHECK_FALSE(ledger.exhausted("a", utc("2026-06-01 00:00")).has_value());
}

TEST_CASE("a threshold is announced once a window, upward only") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::day, 50'000));
  CHECK(apply(ledger, {usage("2026-05-01 01:00", 34'999)}, "2026-05-01 01:01").crossings.empty());
  const quota::Change first = apply(ledger, {usage("2026-05-01 01:00", 1)}, "2026-05-01 01:02");
  REQUIRE(first.crossings.size() == 1);
  CHECK(first.crossings[0].level == "info");
  CHECK(first.crossings[0].number == 1);
  CHECK(first.crossings[0].threshold == 0.70);
  CHECK(first.crossings[0].used == 35'000);
  CHECK(first.crossings[0].limit == 50'000);
  CHECK(first.crossings[0].highest);
  CHECK(first.crossings[0].resets_at == utc("2026-05-02 00:00"));
  REQUIRE(first.windows.size() == 1);
  CHECK(first.windows[0].level_fired == 1);
  CHECK(apply(ledger, {usage("2026-05-01 01:00", 7'000)}, "2026-05-01 01:03").crossings.empty());
  CHECK(levels(apply(ledger, {usage("2026-05-01 01:15", 1'000)}, "2026-05-01 01:20")) ==
        Levels{"warning"});
  CHECK(levels(apply(ledger, {usage("2026-05-01 01:15", 90'000)}, "2026-05-01 01:21")) ==
        Levels{"critical"});
  CHECK(apply(ledger, {usage("2026-05-01 01:15", 90'000)}, "2026-05-01 01:22").crossings.empty());
  CHECK(status(ledger, "2026-05-01 01:22").level == 3);
  CHECK(apply(ledger, {}, "2026-05-02 00:00").crossings.empty());
  CHECK(levels(apply(ledger, {usage("2026-05-02 00:00", 36'000)}, "2026-05-02 00:01")) ==
        Levels{"info"});
}

TEST_CASE("thresholds crossed at once are all reported and the highest is marked") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::day, 100));
  const quota::Change change = apply(ledger, {usage("2026-05-01 01:00", 97)}, "2026-05-01 01:01");
  CHECK(levels(change) == Levels{"info", "warning", "critical"});
  CHECK_FALSE(change.crossings[0].highest);
  CHECK_FALSE(change.crossings[1].highest);
  CHECK(change.crossings[2].highest);
}

TEST_CASE("fewer thresholds are the highest levels") {
  model::Quota one = quota(WindowKind::day, 10);
  one.thresholds = {0.9};
  quota::Ledger ledger = ledger_of(one);
  CHECK(levels(apply(ledger, {usage("2026-05-01 01:00", 9)}, "2026-05-01 01:01")) ==
        Levels{"critical"});
  CHECK(status(ledger, "2026-05-01 01:01").level == 1);
}

TEST_CASE("thresholds are exact for limits near the end of the range") {
  model::Quota one = quota(WindowKind::day, std::numeric_limits<std::int64_t>::max());
  one.thresholds = {0.5, 1.0};
  quota::Ledger ledger = ledger_of(one);
  const std::int64_t half = std::numeric_limits<std::int64_t>::max() / 2 + 1;
  CHECK(apply(ledger, {usage("2026-05-01 01:00", half - 1)}, "2026-05-01 01:01").crossings.empty());
  CHECK(levels(apply(ledger, {usage("2026-05-01 01:00", 1)}, "2026-05-01 01:02")) ==
        Levels{"warning"});
  CHECK(levels(apply(ledger, {usage("2026-05-01 01:00", half), usage("2026-05-01 01:00", half)},
                     "2026-05-01 01:03")) == Levels{"critical"});
  CHECK(used(ledger, "2026-05-01 01:03") == std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("rows of windows gone by do not touch the current one") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::day, 100));
  apply(ledger, {usage("2026-05-02 01:00", 10)}, "2026-05-02 01:01");
  const quota::Change late = apply(
      ledger, {usage("2026-05-01 23:45", 99), usage("2024-01-01 00:00", 99)}, "2026-05-02 01:02");
  CHECK(late.windows.empty());
  CHECK(late.crossings.empty());
  CHECK(used(ledger, "2026-05-02 01:02") == 10);
  apply(ledger, {usage("2026-05-02 00:00", 5)}, "2026-05-02 23:59");
  CHECK(used(ledger, "2026-05-02 23:59") == 15);
}

TEST_CASE("a window that ended starts again from zero, also before it is planned") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::day, 100));
  apply(ledger, {usage("2026-05-01 12:00", 100)}, "2026-05-01 12:01");
  CHECK(ledger.next_roll(utc("2026-05-01 12:01")) == utc("2026-05-02 00:00"));
  CHECK(ledger.exhausted("k", utc("2026-05-01 23:59")).has_value());
  CHECK_FALSE(ledger.exhausted("k", utc("2026-05-02 00:00")).has_value());
  CHECK(used(ledger, "2026-05-02 00:00") == 0);
  CHECK(status(ledger, "2026-05-02 00:00").resets_at == utc("2026-05-03 00:00"));
  CHECK(ledger.next_roll(utc("2026-05-02 00:00")) == utc("2026-05-02 00:00"));
  const quota::Change roll = apply(ledger, {}, "2026-05-02 00:00");
  REQUIRE(roll.windows.size() == 1);
  CHECK(roll.windows[0].start == utc("2026-05-02 00:00"));
  CHECK(roll.windows[0].used == 0);
  CHECK(roll.windows[0].level_fired == 0);
  CHECK(ledger.next_roll(utc("2026-05-02 00:00")) == utc("2026-05-03 00:00"));
  CHECK(apply(ledger, {}, "2026-05-02 00:01").empty());
}

TEST_CASE("rows from a clock slightly ahead wait for their window") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::day, 100));
  apply(ledger, {usage("2026-05-01 12:00", 10)}, "2026-05-01 12:01");
  apply(ledger, {usage("2026-05-02 00:00", 80)}, "2026-05-01 23:58");
  CHECK(used(ledger, "2026-05-01 23:59") == 10);
  const quota::Change roll = apply(ledger, {}, "2026-05-02 00:00");
  CHECK(levels(roll) == Levels{"info"});
  CHECK(used(ledger, "2026-05-02 00:00") == 80);
}

TEST_CASE("days of 23 and 25 hours, and months, end where the calendar says") {
  quota::Ledger spring = ledger_of(quota(WindowKind::day, 100, "America/New_York"));
  apply(spring,
        {usage("2026-03-08 04:45", 1), usage("2026-03-08 05:00", 2), usage("2026-03-09 03:45", 4)},
        "2026-03-09 03:50");
  CHECK(used(spring, "2026-03-09 03:50") == 6);
  CHECK(status(spring, "2026-03-09 03:50").window_length == std::chrono::nanoseconds(23h));
  quota::Ledger autumn = ledger_of(quota(WindowKind::day, 100, "America/New_York"));
  apply(autumn, {usage("2026-11-01 04:00", 1), usage("2026-11-02 04:45", 2)}, "2026-11-02 04:50");
  CHECK(used(autumn, "2026-11-02 04:50") == 3);
  CHECK(status(autumn, "2026-11-02 04:50").window_length == std::chrono::nanoseconds(25h));
  quota::Ledger month = ledger_of(quota(WindowKind::month, 100, "Asia/Kathmandu"));
  apply(month,
        {usage("2028-01-31 18:00", 1), usage("2028-01-31 18:15", 2), usage("2028-02-29 18:00", 4)},
        "2028-02-29 18:10");
  CHECK(used(month, "2028-02-29 18:10") == 6);
  quota::Ledger week = ledger_of(quota(WindowKind::week, 100));
  apply(week, {usage("2026-05-03 23:45", 1), usage("2026-05-04 00:00", 2)}, "2026-05-10 23:59");
  CHECK(used(week, "2026-05-10 23:59") == 2);
}

TEST_CASE("minute windows count minute rows, hours and totals count buckets") {
  quota::Ledger minutes = ledger_of(quota(WindowKind::minute, 100));
  CHECK(minutes.needs_minutes("k"));
  CHECK_FALSE(minutes.needs_minutes("other"));
  apply(minutes, {usage("2026-05-01 10:00", 50)},
        {minute("2026-05-01 10:00", 5), minute("2026-05-01 10:01", 7)}, "2026-05-01 10:01");
  CHECK(used(minutes, "2026-05-01 10:01") == 7);
  quota::Ledger hour = ledger_of(quota(WindowKind::hour, 100));
  CHECK_FALSE(hour.needs_minutes("k"));
  apply(hour, {usage("2026-05-01 09:45", 1), usage("2026-05-01 10:15", 2)},
        {minute("2026-05-01 10:15", 50)}, "2026-05-01 10:30");
  CHECK(used(hour, "2026-05-01 10:30") == 2);
  quota::Ledger total = ledger_of(quota(WindowKind::total, 100));
  apply(total, {usage("2020-05-01 09:45", 60), usage("2026-05-01 10:15", 40)}, "2026-05-01 10:30");
  CHECK(used(total, "2036-05-01 10:30") == 100);
  CHECK_FALSE(status(total, "2026-05-01 10:30").resets_at.has_value());
  CHECK_FALSE(status(total, "2026-05-01 10:30").window_length.has_value());
  CHECK(total.exhausted("k", utc("2026-05-01 10:30"))->until == WallTime::max());
  CHECK_FALSE(total.next_roll(utc("2026-05-01 10:30")).has_value());
}

TEST_CASE("any order of the same rows gives the same window") {
  std::mt19937_64 engine{7};
  for (const std::string zone : {"America/New_York", "Asia/Kathmandu", "UTC"}) {
    std::vector<model::UsageRow> rows;
    const std::int64_t first = model::bucket_of(utc("2026-10-30 12:00"));
    for (int index = 0; index < 2'000; ++index)
      rows.push_back({"k", "m", first + static_cast<std::int64_t>(engine() % (48 * 4)),
                      tokens(static_cast<std::int64_t>(engine() % 100))});
    const auto replay = [&](std::vector<model::UsageRow> order) {
      quota::Ledger ledger = ledger_of(quota(WindowKind::day, 1'000'000, zone));
      for (std::size_t at = 0; at < order.size(); at += 100)
        apply(ledger,
              {order.begin() + static_cast<std::ptrdiff_t>(at),
               order.begin() + static_cast<std::ptrdiff_t>(at + 100)},
              "2026-11-01 12:00");
      return used(ledger, "2026-11-01 12:00");
    };
    std::vector<model::UsageRow> sorted = rows;
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.bucket < b.bucket; });
    std::int64_t expected = 0;
    const auto window = quota::Ledger::make({{quota(WindowKind::day, 1, zone), "k", {"k"}}})
                            ->status("k", utc("2026-11-01 12:00"))
                            .at(0);
    for (const auto& row : rows)
      if (model::bucket_start(row.bucket) < *window.resets_at &&
          model::bucket_start(row.bucket) >= *window.resets_at - *window.window_length)
        expected += row.counts.input;
    CHECK(expected > 0);
    CHECK(replay(rows) == expected);
    CHECK(replay(sorted) == expected);
  }
}

TEST_CASE("steps of the clock lose nothing and announce nothing twice") {
  for (const std::string_view stepped : {"2026-05-01 13:00", "2026-05-01 11:00", "2026-04-30 12:00",
                                         "2036-05-01 12:00", "2026-05-02 12:00"}) {
    INFO("stepped to " << stepped);
    quota::Ledger ledger = ledger_of(quota(WindowKind::day, 100));
    CHECK(levels(apply(ledger, {usage("2026-05-01 12:00", 72)}, "2026-05-01 12:00")) ==
          Levels{"info"});
    CHECK(apply(ledger, {}, stepped).crossings.empty());
    CHECK(apply(ledger, {usage("2026-05-01 12:00", 3)}, stepped).crossings.empty());
    const quota::Change back = apply(ledger, {}, "2026-05-01 12:05");
    CHECK(back.crossings.empty());
    CHECK(used(ledger, "2026-05-01 12:05") == 75);
    CHECK(levels(apply(ledger, {usage("2026-05-01 12:00", 10)}, "2026-05-01 12:06")) ==
          Levels{"warning"});
  }
}

TEST_CASE("a plan changes nothing until it is adopted, and cannot overtake another") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::day, 100));
  const WallTime now = utc("2026-05-01 12:00");
  const quota::Change dropped = ledger.plan({usage("2026-05-01 12:00", 80)}, {}, now);
  CHECK(dropped.crossings.size() == 1);
  CHECK(used(ledger, "2026-05-01 12:00") == 0);
  const quota::Change again = ledger.plan({usage("2026-05-01 12:00", 80)}, {}, now);
  CHECK(again.crossings.size() == 1);
  ledger.adopt(again);
  CHECK(used(ledger, "2026-05-01 12:00") == 80);
  CHECK_THROWS_AS(ledger.adopt(dropped), std::logic_error);
  CHECK(used(ledger, "2026-05-01 12:00") == 80);
  CHECK_NOTHROW(ledger.adopt(quota::Change{}));
}

TEST_CASE("what cannot be counted is refused with the quota's name") {
  const auto problem = [](const model::Quota& one) {
    const auto made = quota::Ledger::make({{one, "k", {"k"}}});
    REQUIRE_FALSE(made.has_value());
    return made.error().message;
  };
  CHECK(problem(quota(WindowKind::day, 0)) == "quota \"q\" of \"k\": the limit must be above 0");
  CHECK(problem(quota(WindowKind::day, 1, "Mars/Olympus")) ==
        "quota \"q\" of \"k\": time zone \"Mars/Olympus\" is not known");
  model::Quota one = quota(WindowKind::day, 1);
  for (const std::vector<double>& bad : {std::vector<double>{0.9, 0.8},
                                         {0.0},
                                         {1.1},
                                         {0.5, 0.5},
                                         {0.1, 0.2, 0.3, 0.4},
                                         {std::numeric_limits<double>::quiet_NaN()}}) {
    one.thresholds = bad;
    CHECK(problem(one).find("threshold") != std::string::npos);
  }
  for (const std::chrono::nanoseconds bad :
       {std::chrono::nanoseconds(0), std::chrono::nanoseconds(90s),
        std::chrono::nanoseconds(24h * 32)}) {
    model::Quota rolling = quota(WindowKind::rolling, 1);
    rolling.rolling = bad;
    CHECK(problem(rolling).find("1m to 31d") != std::string::npos);
  }
  const model::Quota twice = quota(WindowKind::day, 1);
  const auto made = quota::Ledger::make({{twice, "k", {"k"}}, {twice, "k", {"k"}}});
  REQUIRE_FALSE(made.has_value());
  CHECK(made.error().code == ErrorCode::conflict);
}

TEST_CASE("12,000 rows of 1,000 owners take milliseconds") {
  std::vector<quota::Assignment> assignments;
  std::vector<model::UsageRow> rows;
  const WallTime now = utc("2026-05-01 12:00");
  for (int key = 0; key < 1'000; ++key) {
    const std::string id = "key-" + std::to_string(key);
    assignments.push_back({quota(WindowKind::day, 1'000'000, "Asia/Singapore"), id, {id}});
    for (int row = 0; row < 12; ++row)
      rows.push_back({id, "m" + std::to_string(row), model::bucket_of(now), tokens(10)});
  }
  quota::Ledger ledger = quota::Ledger::make(assignments).value();
  ledger.adopt(ledger.plan({}, {}, now));
  auto best = std::chrono::steady_clock::duration::max();
  for (int round = 0; round < 10; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    ledger.adopt(ledger.plan(rows, {}, now));
    best = std::min(best, std::chrono::steady_clock::now() - begin);
  }
  CHECK(status(ledger, "2026-05-01 12:00", "key-7").used == 1'200);
  INFO("best round " << best / 1us << " us");
  CHECK(best < 20ms);
}

}  // namespace
TEST_CASE("a month that begins on a day of its own, a week and a day at an hour of theirs") {
  model::Quota one = quota(model::WindowKind::month, 1000, "Asia/Singapore");
  one.anchor_day = 15;
  quota::Ledger ledger = ledger_of(one);
  seed(ledger, {}, {}, "2026-05-14 15:30");
  apply(ledger, {usage("2026-05-14 15:45", 100)}, "2026-05-14 15:50");
  CHECK(used(ledger, "2026-05-14 15:59") == 100);
  CHECK(status(ledger, "2026-05-14 15:59").resets_at == utc("2026-05-14 16:00"));  // midnight there
  apply(ledger, {usage("2026-05-14 16:00", 7), usage("2026-05-14 15:45", 1)}, "2026-05-14 16:05");
  CHECK(used(ledger, "2026-05-14 16:05") == 7);
  CHECK(status(ledger, "2026-05-14 16:05").resets_at == utc("2026-06-14 16:00"));

  one = quota(model::WindowKind::day, 1000, "America/New_York");
  one.anchor_time = std::chrono::hours(9);
  quota::Ledger day = ledger_of(one);
  seed(day, {}, {}, "2026-03-08 10:00");
  CHECK(status(day, "2026-03-08 10:00").resets_at == utc("2026-03-08 13:00"));  // 9:00 EDT
  CHECK(*status(day, "2026-03-08 10:00").window_length == std::chrono::hours(23));
}

TEST_CASE("rows that arrive in any order sum up per window as sorted ones do, over clock changes") {
  struct Edge {
    WindowKind kind;
    int anchor_day;
    const char* zone;
    const char* around;
  };
  const std::vector<Edge> edges{{WindowKind::day, 1, "America/New_York", "2026-11-01 04:00"},
                                {WindowKind::day, 1, "America/New_York", "2026-03-08 05:00"},
                                {WindowKind::month, 1, "Asia/Singapore", "2026-04-30 16:00"},
                                {WindowKind::month, 31, "Europe/Berlin", "2026-02-27 23:00"},
                                {WindowKind::hour, 1, "Asia/Kolkata", "2026-05-01 00:00"}};
  std::mt19937 random(7);
  for (const Edge& edge : edges) {
    INFO(edge.zone << " " << edge.around);
    model::Quota one = quota(edge.kind, 1'000'000, edge.zone);
    one.anchor_day = edge.anchor_day;
    const WallTime from = utc(edge.around) - 24h;
    const WallTime end = from + 48h;
    std::multimap<WallTime, model::UsageRow> arrivals;
    for (int i = 0; i < 500; ++i) {
      const WallTime at = from + std::chrono::minutes(random() % (48 * 60 - 30));
      const WallTime seen = std::min(end, at + std::chrono::minutes(random() % (30 * 60)));
      arrivals.emplace(seen, model::UsageRow{"k", "m", model::bucket_of(at),
                                             tokens(1 + static_cast<std::int64_t>(random() % 9))});
    }
    quota::Ledger ledger = ledger_of(one);
    ledger.adopt(ledger.plan_seed({}, {}, from));
    for (const auto& [seen, row] : arrivals)
      ledger.adopt(ledger.plan({row}, {}, seen));
    ledger.adopt(ledger.plan({}, {}, end));
    const model::QuotaStatus last = ledger.status("k", end).at(0);
    std::int64_t expected = 0;
    for (const auto& [seen, row] : arrivals)
      if (model::bucket_start(row.bucket) >= *last.resets_at - *last.window_length)
        expected += row.counts.input;
    CHECK(last.used == expected);
  }
}

}  // namespace keyherd::test
