// What every Store promises about committing and loading. The histories are in
// store_history_contract.cpp.

#include <catch2/catch.hpp>
#include <limits>

#include "store_kinds.hpp"
#include "store_random.hpp"
#include "store_text.hpp"

namespace keyherd::test {

namespace {

using model::UsageRow;
using store::Batch;
using store::RollUp;
using store::RollUpInto;
using store::State;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

model::UsageCounts counts(std::int64_t requests, std::int64_t output) {
  model::UsageCounts c;
  c.requests = requests;
  c.output = output;
  return c;
}

State loaded(store::Store& store) {
  auto state = store.load();
  REQUIRE(state);
  return *state;
}

}  // namespace

TEST_CASE("a batch knows when there is nothing in it") {
  Batch batch;
  CHECK(batch.empty());
  batch.settings["a"] = "b";
  CHECK_FALSE(batch.empty());
}

TEMPLATE_TEST_CASE("an empty store loads an empty state, and an empty batch changes nothing", "",
                   InMemory, InSqlite) {
  TestType kind;
  CHECK(text_of(loaded(kind.store())).empty());
  commit(kind.store(), Batch{});
  CHECK(text_of(loaded(kind.reopen())).empty());
}

TEMPLATE_TEST_CASE("usage adds up per bucket and in all-time totals", "", InMemory, InSqlite) {
  TestType kind;
  Batch batch;
  batch.usage = {UsageRow{"k1", "m1", 7, counts(1, 10)}, UsageRow{"k1", "m1", 7, counts(2, 20)},
                 UsageRow{"k1", "m1", 8, counts(4, 40)}, UsageRow{"k2", "m1", 7, counts(8, 80)}};
  batch.minutes = {model::MinuteRow{"k1", 100, counts(1, 1)}};
  commit(kind.store(), batch);
  commit(kind.store(), batch);
  store::Store& store = kind.reopen();

  const State state = loaded(store);
  CHECK(state.usage_totals.at("k1").at("m1") == counts(14, 140));
  CHECK(state.usage_totals.at("k2").at("m1") == counts(16, 160));
  const auto rows = store.usage({});
  REQUIRE(rows);
  REQUIRE(rows->size() == 3);
  CHECK(text_of((*rows)[0]) == text_of(UsageRow{"k1", "m1", 7, counts(6, 60)}));
  CHECK(text_of((*rows)[1]) == text_of(UsageRow{"k1", "m1", 8, counts(8, 80)}));
  const auto minutes = store.minutes({});
  REQUIRE(minutes);
  REQUIRE(minutes->size() == 1);
  CHECK(minutes->front().counts == counts(2, 2));
}

TEMPLATE_TEST_CASE("sums stop at the end of the range instead of wrapping or failing", "", InMemory,
                   InSqlite) {
  TestType kind;
  Batch batch;
  batch.usage = {UsageRow{"k", "m", 7, counts(1, kMax - 5)}};
  batch.minutes = {model::MinuteRow{"k", 1, counts(1, kMax)}};
  batch.source_counts["s"].read_bytes = kMax;
  batch.usage_failures["k"][0] = kMax;
  for (int i = 0; i < 3; ++i)
    commit(kind.store(), batch);
  const State state = loaded(kind.reopen());
  CHECK(state.usage_totals.at("k").at("m") == counts(3, kMax));
  CHECK(state.source_counts.at("s").read_bytes == kMax);
  CHECK(state.usage_failures.at("k")[0] == kMax);
  const auto rows = kind.store().usage({});
  REQUIRE(rows);
  CHECK(rows->front().counts == counts(3, kMax));
}

TEMPLATE_TEST_CASE("failures and source counts add, the last use only moves forward", "", InMemory,
                   InSqlite) {
  TestType kind;
  Batch batch;
  batch.usage_failures["k"] = {1, 2, 3, 4, 5, 6};
  batch.usage_failures["none"] = {};
  batch.source_counts["s"].records = 5;
  batch.source_counts["s"].rejected[6] = 2;
  batch.source_counts["none"] = {};
  batch.last_used["k"] = at(50);
  commit(kind.store(), batch);
  batch.last_used["k"] = at(20);
  commit(kind.store(), batch);
  const State state = loaded(kind.reopen());
  CHECK(state.usage_failures.at("k") == std::array<std::int64_t, 6>{2, 4, 6, 8, 10, 12});
  CHECK(state.usage_failures.count("none") == 0);
  CHECK(state.source_counts.at("s").records == 10);
  CHECK(state.source_counts.at("s").rejected[6] == 4);
  CHECK(state.source_counts.count("none") == 0);
  CHECK(state.last_used.at("k") == at(50));
}

TEMPLATE_TEST_CASE("rows with an identity are replaced, and cursors can be dropped", "", InMemory,
                   InSqlite) {
  TestType kind;
  model::FileCursor cursor;
  cursor.source = "s";
  cursor.id = 1;
  cursor.head_hash = ~std::uint64_t{0};
  Batch first;
  first.cursors = {cursor};
  cursor.id = 2;
  first.cursors.push_back(cursor);
  first.probe_totals["k"].probes = {4, 3, 2, 1};
  first.pool_totals["p"].schedule_runs = 9;
  first.settings["name"] = "old";
  commit(kind.store(), first);

  Batch second;
  cursor.offset = 77;
  second.cursors = {cursor};
  second.dropped_cursors = {{"s", 1}, {"never seen", 1}};
  second.probe_totals["k"].probes = {5, 0, 0, 0};
  second.pool_totals["p"] = {};
  second.settings["name"] = "new";
  commit(kind.store(), second);

  const State state = loaded(kind.reopen());
  REQUIRE(state.cursors.size() == 1);
  CHECK(state.cursors[0] == cursor);
  CHECK(state.probe_totals.at("k").probes == std::array<std::int64_t, 4>{5, 0, 0, 0});
  CHECK(state.pool_totals.count("p") == 0);
  CHECK(state.settings.at("name") == "new");
}

TEMPLATE_TEST_CASE("a schedule that fires twice for one time fails the whole batch", "", InMemory,
                   InSqlite) {
  TestType kind;
  Batch batch;
  batch.fires = {{"pool", at(60), at(61), "started"}};
  commit(kind.store(), batch);
  const std::string before = text_of(loaded(kind.store()));

  std::mt19937 random(1);
  Batch twice = random_batch(random, 3);
  twice.fires.push_back({"pool", at(60), at(99), "missed"});
  const Status refused = kind.store().commit(twice);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::conflict);
  CHECK(refused.error().message.find("pool") != std::string::npos);
  CHECK(text_of(loaded(kind.store())) == before);
  CHECK(text_of(loaded(kind.reopen())) == before);

  twice.fires.pop_back();
  commit(kind.store(), twice);
  CHECK(loaded(kind.store()).last_fires.at("pool").outcome == "started");
}

TEMPLATE_TEST_CASE("the same firing twice within one batch is refused too", "", InMemory,
                   InSqlite) {
  TestType kind;
  Batch batch;
  batch.fires = {{"pool", at(60), at(61), "started"}, {"pool", at(60), at(62), "started"}};
  batch.settings["left"] = "behind";
  const Status refused = kind.store().commit(batch);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::conflict);
  CHECK(text_of(loaded(kind.reopen())).empty());
}

TEST_CASE("after random batches SQLite has exactly what memory has, also after a new start") {
  const auto seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U);
  std::mt19937 random(seed);
  InMemory memory;
  InSqlite sqlite;
  for (int number = 0; number < 60; ++number) {
    const Batch batch = random_batch(random, number);
    const Status expected = memory.store().commit(batch);
    const Status actual = sqlite.store().commit(batch);
    REQUIRE(expected.has_value() == actual.has_value());
    if (number % 20 == 10) {
      const auto before = some_time(random);
      const RollUp plan{RollUpInto::hours, before, [](std::int64_t bucket) {
                          return store::BucketSpan{bucket - bucket % 4, 4};
                        }};
      CHECK(memory.store().roll_up(plan) == false);
      CHECK(sqlite.store().roll_up(plan) == false);
      REQUIRE(memory.store().prune(before, before, before));
      REQUIRE(sqlite.store().prune(before, before, before));
    }
    if (number % 10 == 5)
      sqlite.reopen();
  }
  CHECK(text_of(loaded(sqlite.store())) == text_of(loaded(memory.store())));
  const auto usage = sqlite.store().usage({});
  const auto minutes = sqlite.store().minutes({});
  const auto rotations = sqlite.store().rotations("", 1000);
  REQUIRE((usage && minutes && rotations));
  CHECK(text_of(*usage) == text_of(*memory.store().usage({})));
  CHECK(text_of(*minutes) == text_of(*memory.store().minutes({})));
  const auto drops = sqlite.store().balance_drops({});
  REQUIRE(drops);
  REQUIRE_FALSE(drops->empty());
  CHECK(text_of(*drops) == text_of(*memory.store().balance_drops({})));
  CHECK(text_of(*rotations) == text_of(*memory.store().rotations("", 1000)));
  for (const auto& [key, health] : loaded(memory.store()).health)
    CHECK(text_of(*sqlite.store().changes({key, std::nullopt, 1000})) ==
          text_of(*memory.store().changes({key, std::nullopt, 1000})));
}

}  // namespace keyherd::test
