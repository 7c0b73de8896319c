#include "quota/rolling_tally.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "rows.hpp"

namespace keyherd::test {
namespace {

using namespace std::chrono_literals;
using Levels = std::vector<std::string>;

TEST_CASE("a rolling window holds its last minutes and no more") {
  quota::Ledger ledger = ledger_of(rolling_quota(60min, 100));
  CHECK(ledger.minutes_kept() == std::chrono::nanoseconds(60min));
  const quota::Change change =
      apply(ledger, {}, {minute("2026-05-01 10:00", 40), minute("2026-05-01 10:30", 20)},
            "2026-05-01 10:30");
  REQUIRE(change.windows.size() == 1);
  CHECK(change.windows[0].used == 60);
  CHECK(change.windows[0].start == utc("2026-05-01 09:31"));
  CHECK(change.windows[0].end == utc("2026-05-01 10:31"));
  CHECK(used(ledger, "2026-05-01 10:59") == 60);
  CHECK(used(ledger, "2026-05-01 11:00") == 20);
  CHECK(used(ledger, "2026-05-01 11:30") == 0);
  CHECK(status(ledger, "2026-05-01 10:59").resets_at == utc("2026-05-01 11:30"));
  CHECK_FALSE(status(ledger, "2026-05-01 11:30").resets_at.has_value());
  CHECK(status(ledger, "2026-05-01 10:59").window_length == std::chrono::nanoseconds(60min));
  CHECK(ledger.next_roll(utc("2026-05-01 10:31")) == utc("2026-05-01 11:00"));
  CHECK(ledger.next_roll(utc("2026-05-01 11:00")) == utc("2026-05-01 11:30"));
  CHECK_FALSE(ledger.next_roll(utc("2026-05-01 11:30")).has_value());
}

TEST_CASE("an exhausted rolling window frees the key when enough has left it") {
  quota::Ledger ledger = ledger_of(rolling_quota(60min, 100));
  apply(ledger, {},
        {minute("2026-05-01 10:00", 30), minute("2026-05-01 10:10", 30),
         minute("2026-05-01 10:20", 80)},
        "2026-05-01 10:20");
  CHECK(ledger.exhausted("k", utc("2026-05-01 10:20"))->until == utc("2026-05-01 11:10"));
  CHECK(ledger.exhausted("k", utc("2026-05-01 11:09")).has_value());
  CHECK_FALSE(ledger.exhausted("k", utc("2026-05-01 11:10")).has_value());
}

TEST_CASE("late minutes count while they are inside, minutes ahead at once") {
  quota::Ledger ledger = ledger_of(rolling_quota(60min, 100));
  apply(ledger, {}, {minute("2026-05-01 10:30", 1)}, "2026-05-01 10:30");
  apply(ledger, {}, {minute("2026-05-01 09:31", 2), minute("2026-05-01 09:30", 4)},
        "2026-05-01 10:30");
  CHECK(used(ledger, "2026-05-01 10:30") == 3);
  apply(ledger, {}, {minute("2026-05-01 10:34", 8)}, "2026-05-01 10:30");
  CHECK(used(ledger, "2026-05-01 10:30") == 11);
}

TEST_CASE("a rolling threshold is armed again a tenth below, not before") {
  quota::Ledger ledger = ledger_of(rolling_quota(60min, 100));
  seed(ledger, {}, {}, "2026-05-01 09:00");
  CHECK(levels(apply(ledger, {}, {minute("2026-05-01 10:00", 10), minute("2026-05-01 10:01", 62)},
                     "2026-05-01 10:01")) == Levels{"info"});
  // Down to 64 and up again: still announced.
  CHECK(apply(ledger, {}, {minute("2026-05-01 10:30", 2)}, "2026-05-01 10:30").crossings.empty());
  CHECK(used(ledger, "2026-05-01 11:00") == 64);
  CHECK(apply(ledger, {}, {minute("2026-05-01 11:00", 8)}, "2026-05-01 11:00").crossings.empty());
  // Nearly nothing left, then a burst: announced again.
  CHECK(levels(apply(ledger, {}, {minute("2026-05-01 11:40", 90)}, "2026-05-01 11:40")) ==
        Levels{"info", "warning", "critical"});
}

TEST_CASE("minutes that come too late to matter announce nothing") {
  quota::Ledger ledger = ledger_of(rolling_quota(60min, 100));
  CHECK(apply(ledger, {}, {minute("2026-04-29 10:00", 99)}, "2026-05-01 10:00").crossings.empty());
  CHECK(used(ledger, "2026-05-01 10:00") == 0);
}

TEST_CASE("steps of the clock neither lose rolling minutes nor announce twice") {
  for (const std::string_view stepped :
       {"2026-05-01 13:00", "2026-05-01 11:00", "2026-04-30 12:00", "2036-05-01 12:00"}) {
    INFO("stepped to " << stepped);
    quota::Ledger ledger = ledger_of(rolling_quota(60min, 100));
    CHECK(levels(apply(ledger, {}, {minute("2026-05-01 12:00", 72)}, "2026-05-01 12:00")) ==
          Levels{"info"});
    CHECK(apply(ledger, {}, {minute("2026-05-01 12:01", 3)}, stepped).crossings.empty());
    CHECK(apply(ledger, {}, {minute("2026-05-01 12:05", 1)}, "2026-05-01 12:05").crossings.empty());
    CHECK(used(ledger, "2026-05-01 12:05") == 76);
  }
}

TEST_CASE("the tally agrees with a plain sum, in any order, and stays bounded") {
  std::mt19937_64 engine{11};
  quota::RollingTally tally(60);
  std::map<std::int64_t, std::int64_t> plain;
  for (int round = 0; round < 5'000; ++round) {
    const std::int64_t now = 1'000 + round / 5;
    const std::int64_t at = now - static_cast<std::int64_t>(engine() % 40);
    const auto amount = static_cast<std::int64_t>(engine() % 50);
    tally.add({{at, amount}});
    plain[at] += amount;
    std::int64_t sum = 0;
    std::int64_t shrinking = 0;
    std::int64_t below = now;
    for (const auto& [minute, count] : plain)
      sum += minute > now - 60 ? count : 0;
    shrinking = sum;
    for (const auto& [minute, count] : plain)
      if (minute > now - 60 && shrinking >= 500 && count > 0) {
        shrinking -= count;
        below = minute + 60;
      }
    REQUIRE(tally.used(now) == sum);
    REQUIRE(tally.used_with({{now, 5}, {now - 60, 7}}, now) == sum + 5);
    REQUIRE(tally.below(500, now) == below);
  }
  CHECK(tally.used(1'000'000) == 0);
  CHECK(tally.next_leaving(1'000'000) == std::nullopt);
}

}  // namespace
}  // namespace keyherd::test
