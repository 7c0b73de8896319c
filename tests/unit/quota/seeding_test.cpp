// What a ledger knows after a start, a reload, and a quota that is new in mid-window.

#include <catch2/catch.hpp>

#include "quota/ledger.hpp"
#include "rows.hpp"

namespace keyherd::test {
namespace {

using model::WindowKind;
using namespace std::chrono_literals;
using Levels = std::vector<std::string>;

TEST_CASE("after a restart counting goes on and nothing is announced twice") {
  quota::Ledger before = ledger_of(quota(WindowKind::day, 100));
  const quota::Change last = apply(before, {usage("2026-05-01 10:00", 86)}, "2026-05-01 10:01");
  CHECK(levels(last) == Levels{"info", "warning"});
  quota::Ledger after = ledger_of(quota(WindowKind::day, 100));
  after.restore(last.windows, utc("2026-05-01 11:00"));
  CHECK(after.history_needed(utc("2026-05-01 11:00")).empty());
  CHECK(used(after, "2026-05-01 11:00") == 86);
  CHECK(seed(after, {usage("2026-05-01 10:00", 86)}, {}, "2026-05-01 11:00").windows.empty());
  CHECK(used(after, "2026-05-01 11:00") == 86);
  CHECK(apply(after, {usage("2026-05-01 11:00", 1)}, "2026-05-01 11:01").crossings.empty());
  CHECK(levels(apply(after, {usage("2026-05-01 11:00", 10)}, "2026-05-01 11:02")) ==
        Levels{"critical"});
}

TEST_CASE("stored windows that ended or do not fit their quota are left out") {
  const model::QuotaWindow today{"q", "k", utc("2026-05-01 00:00"), utc("2026-05-02 00:00"), 86, 2};
  const auto used_after = [&](const model::Quota& one, std::string_view now) {
    quota::Ledger ledger = ledger_of(one);
    ledger.restore({today, {"gone", "k", {}, {}, 5, 0}, {"q", "nobody", {}, {}, 5, 0}}, utc(now));
    return used(ledger, now);
  };
  CHECK(used_after(quota(WindowKind::day, 100), "2026-05-01 11:00") == 86);
  CHECK(used_after(quota(WindowKind::day, 100), "2026-05-02 11:00") == 0);
  CHECK(used_after(quota(WindowKind::month, 100), "2026-05-01 11:00") == 0);
  CHECK(used_after(quota(WindowKind::day, 100, "Asia/Singapore"), "2026-05-01 11:00") == 0);
  CHECK(used_after(quota(WindowKind::total, 100), "2026-05-01 11:00") == 0);
}

TEST_CASE("a stored window ahead of a clock that stepped back waits for its time") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::day, 100));
  ledger.restore({{"q", "k", utc("2026-05-01 00:00"), utc("2026-05-02 00:00"), 86, 2}},
                 utc("2026-04-30 11:00"));
  CHECK(used(ledger, "2026-04-30 11:00") == 0);
  const quota::Change forward = apply(ledger, {}, "2026-05-01 00:00");
  CHECK(forward.crossings.empty());
  CHECK(used(ledger, "2026-05-01 00:00") == 86);
}

TEST_CASE("a window from before the start that the clock steps back into announces nothing") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::day, 100));
  ledger.restore({{"q", "k", utc("2026-05-02 00:00"), utc("2026-05-03 00:00"), 50, 0}},
                 utc("2026-05-02 11:00"));
  apply(ledger, {}, "2026-05-01 11:00");
  CHECK(ledger.history_needed(utc("2026-05-01 11:00")).usage_from == utc("2026-05-01 00:00"));
  const std::vector<model::UsageRow> history{usage("2026-05-01 10:00", 90),
                                             usage("2026-05-02 10:00", 50)};
  CHECK(seed(ledger, history, {}, "2026-05-01 11:00").crossings.empty());
  CHECK(used(ledger, "2026-05-01 11:00") == 90);
  CHECK(used(ledger, "2026-05-02 11:00") == 50);
  CHECK(levels(apply(ledger, {usage("2026-05-02 11:00", 20)}, "2026-05-02 11:01")) ==
        Levels{"info"});
}

TEST_CASE("a quota that is new in mid-window starts with what the history knows") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::day, 100, "Asia/Singapore"));
  ledger.restore({}, utc("2026-05-01 20:00"));
  const quota::HistoryNeed need = ledger.history_needed(utc("2026-05-01 20:00"));
  CHECK(need.keys == std::vector<std::string>{"k"});
  CHECK(need.usage_from == utc("2026-05-01 16:00"));
  CHECK_FALSE(need.minutes_from.has_value());
  const quota::Change change = seed(
      ledger,
      {usage("2026-05-01 15:45", 50), usage("2026-05-01 16:00", 60), usage("2026-05-01 19:00", 12)},
      {}, "2026-05-01 20:00");
  CHECK(levels(change) == Levels{"info"});
  REQUIRE(change.windows.size() == 1);
  CHECK(change.windows[0].used == 72);
  CHECK(used(ledger, "2026-05-01 20:00") == 72);
  CHECK(ledger.history_needed(utc("2026-05-01 20:00")).empty());
  CHECK(ledger.history_needed(utc("2026-05-03 20:00")).empty());
}

TEST_CASE("seeding replaces what was counted before it") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::day, 100));
  apply(ledger, {usage("2026-05-01 10:00", 30)}, "2026-05-01 10:01");
  seed(ledger, {usage("2026-05-01 09:00", 20), usage("2026-05-01 10:00", 30)}, {},
       "2026-05-01 10:02");
  CHECK(used(ledger, "2026-05-01 10:02") == 50);
}

TEST_CASE("a total starts with the whole history") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::total, 100));
  CHECK(ledger.history_needed(utc("2026-05-01 10:00")).usage_from == WallTime{});
  seed(ledger, {usage("2020-01-01 00:00", 20), usage("2026-05-01 10:00", 30)}, {},
       "2026-05-01 10:00");
  CHECK(used(ledger, "2026-05-01 10:00") == 50);
}

TEST_CASE("a rolling window is rebuilt from its minutes and announces nothing twice") {
  quota::Ledger before = ledger_of(rolling_quota(60min, 100));
  const std::vector<model::MinuteRow> history{minute("2026-05-01 09:30", 50),
                                              minute("2026-05-01 10:00", 72)};
  seed(before, {}, {}, "2026-05-01 10:00");
  const quota::Change last = apply(before, {}, {history[1]}, "2026-05-01 10:00");
  CHECK(levels(last) == Levels{"info"});
  quota::Ledger after = ledger_of(rolling_quota(60min, 100));
  after.restore(last.windows, utc("2026-05-01 10:45"));
  const quota::HistoryNeed need = after.history_needed(utc("2026-05-01 10:45"));
  CHECK(need.minutes_from == utc("2026-05-01 09:46"));
  CHECK_FALSE(need.usage_from.has_value());
  CHECK(seed(after, {}, history, "2026-05-01 10:45").crossings.empty());
  CHECK(used(after, "2026-05-01 10:45") == 72);
  CHECK(after.history_needed(utc("2026-05-01 10:45")).empty());
  CHECK(apply(after, {}, {minute("2026-05-01 10:46", 1)}, "2026-05-01 10:46").crossings.empty());
}

TEST_CASE("a minute window asks for minutes") {
  quota::Ledger ledger = ledger_of(quota(WindowKind::minute, 100));
  CHECK(ledger.history_needed(utc("2026-05-01 10:45")).minutes_from == utc("2026-05-01 10:45"));
}

TEST_CASE("a reload keeps what counts alike and begins what does not") {
  quota::Ledger before = ledger_of(quota(WindowKind::day, 100));
  seed(before, {}, {}, "2026-05-01 09:00");
  apply(before, {usage("2026-05-01 10:00", 86)}, "2026-05-01 10:01");
  const WallTime now = utc("2026-05-01 10:02");

  quota::Ledger raised = ledger_of(quota(WindowKind::day, 200));
  raised.inherit(before, now);
  CHECK(used(raised, "2026-05-01 10:02") == 86);
  CHECK(levels(apply(raised, {usage("2026-05-01 10:00", 60)}, "2026-05-01 10:03")) ==
        Levels{"info"});

  quota::Ledger lowered = ledger_of(quota(WindowKind::day, 90));
  lowered.inherit(before, now);
  CHECK(levels(apply(lowered, {usage("2026-05-01 10:00", 1)}, "2026-05-01 10:03")) ==
        Levels{"critical"});

  model::Quota requests = quota(WindowKind::day, 100);
  requests.unit = model::QuotaUnit::requests;
  quota::Ledger other = ledger_of(requests);
  other.inherit(before, now);
  CHECK(used(other, "2026-05-01 10:02") == 0);
  CHECK_FALSE(other.history_needed(now).empty());

  quota::Ledger same = ledger_of(quota(WindowKind::day, 100));
  same.inherit(before, now);
  CHECK(same.history_needed(now).empty());
  CHECK(same.next_roll(now) == utc("2026-05-02 00:00"));
  CHECK(same.plan({}, {}, now).empty());
}

TEST_CASE("a reload keeps rolling minutes") {
  quota::Ledger before = ledger_of(rolling_quota(60min, 100));
  seed(before, {}, {}, "2026-05-01 10:00");
  apply(before, {}, {minute("2026-05-01 10:00", 72)}, "2026-05-01 10:00");
  quota::Ledger same = ledger_of(rolling_quota(60min, 100));
  same.inherit(before, utc("2026-05-01 10:01"));
  CHECK(used(same, "2026-05-01 10:01") == 72);
  CHECK(apply(same, {}, {minute("2026-05-01 10:01", 1)}, "2026-05-01 10:01").crossings.empty());
  quota::Ledger longer = ledger_of(rolling_quota(120min, 100));
  longer.inherit(before, utc("2026-05-01 10:01"));
  CHECK_FALSE(longer.history_needed(utc("2026-05-01 10:01")).empty());
}

}  // namespace
}  // namespace keyherd::test
