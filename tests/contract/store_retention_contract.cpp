// What every Store promises about history that grows old: it is kept in wider rows, and no count is
// lost or told twice on the way.

#include <catch2/catch.hpp>

#include "store_kinds.hpp"

namespace keyherd::test {

namespace {

using model::UsageRow;
using store::Batch;
using store::BucketSpan;
using store::RollUp;
using store::RollUpInto;

const std::int64_t kDayStart = model::bucket_of(at(0));  // midnight
constexpr std::int64_t kDay = 96;

BucketSpan hour_of(std::int64_t bucket) {
  return {bucket - bucket % 4, 4};
}
BucketSpan day_of(std::int64_t bucket) {
  return {bucket - bucket % kDay, static_cast<std::int32_t>(kDay)};
}
// Days of a zone two hours west of UTC.
BucketSpan western_day_of(std::int64_t bucket) {
  return {day_of(bucket - 8).first + 8, static_cast<std::int32_t>(kDay)};
}

UsageRow used(const std::string& key, std::int64_t bucket, std::int64_t input) {
  UsageRow row{key, "m", kDayStart + bucket, {}};
  row.counts.requests = 1;
  row.counts.input = input;
  row.counts.cost = input * 7;
  return row;
}

// "a@0+4=6": from bucket 0 on, 4 wide, 6 input tokens.
std::string history(store::Store& store) {
  const auto rows = store.usage({});
  if (!rows)
    return rows.error().message;
  std::string text;
  for (const UsageRow& row : *rows)
    text += row.key + "@" + std::to_string(row.bucket - kDayStart) + "+" +
            std::to_string(row.width) + "=" + std::to_string(row.counts.input) + " ";
  return text;
}

std::int64_t total(store::Store& store) {
  std::int64_t sum = 0;
  const auto rows = store.usage({});
  REQUIRE(rows);
  for (const UsageRow& row : *rows) {
    sum += row.counts.input;
    CHECK(row.counts.cost == row.counts.input * 7);
  }
  return sum;
}

Batch three_days() {
  Batch batch;
  for (const char* key : {"a", "b"}) {
    for (std::int64_t bucket = 0; bucket < 3 * kDay; bucket += 3)
      batch.usage.push_back(used(key, bucket, bucket + 1));
  }
  return batch;
}

void roll_all(store::Store& store, RollUp plan) {
  for (;;) {
    const auto more = store.roll_up(plan);
    REQUIRE(more);
    if (!*more)
      return;
  }
}

}  // namespace

TEMPLATE_TEST_CASE("old quarters become hours, old hours become days, what is young stays", "",
                   InMemory, InSqlite) {
  TestType kind;
  Batch batch;
  batch.usage = {used("a", 0, 1),    used("a", 1, 2),         used("a", 5, 4),
                 used("a", kDay, 8), used("a", kDay + 1, 16), used("b", 2, 32)};
  commit(kind.store(), batch);
  CHECK(kind.store().roll_up({RollUpInto::hours, at(86'400), hour_of}) == false);
  CHECK(history(kind.reopen()) == "a@0+4=3 a@4+4=4 a@96+1=8 a@97+1=16 b@0+4=32 ");
  CHECK(kind.store().roll_up({RollUpInto::days, at(86'400), day_of}) == false);
  CHECK(history(kind.reopen()) == "a@0+96=7 a@96+1=8 a@97+1=16 b@0+96=32 ");
  // Again: nothing is left to do, and nothing changes.
  CHECK(kind.store().roll_up({RollUpInto::hours, at(86'400), hour_of}) == false);
  CHECK(kind.store().roll_up({RollUpInto::days, at(86'400), day_of}) == false);
  CHECK(history(kind.store()) == "a@0+96=7 a@96+1=8 a@97+1=16 b@0+96=32 ");
  CHECK(kind.store().load()->usage_totals.at("a").at("m").input == 31);
}

TEMPLATE_TEST_CASE("a late line joins the day it belongs to", "", InMemory, InSqlite) {
  TestType kind;
  Batch batch;
  batch.usage = {used("a", 8, 1)};
  commit(kind.store(), batch);
  roll_all(kind.store(), {RollUpInto::hours, at(86'400), hour_of});
  roll_all(kind.store(), {RollUpInto::days, at(86'400), day_of});
  Batch late;
  late.usage = {used("a", 0, 2), used("a", 50, 4)};
  commit(kind.store(), late);
  CHECK(history(kind.store()) == "a@0+1=2 a@0+96=1 a@50+1=4 ");
  roll_all(kind.store(), {RollUpInto::hours, at(86'400), hour_of});
  roll_all(kind.store(), {RollUpInto::days, at(86'400), day_of});
  CHECK(history(kind.reopen()) == "a@0+96=7 ");
}

TEMPLATE_TEST_CASE("in small steps it comes to the same, and every step is exact", "", InMemory,
                   InSqlite) {
  const auto step = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{64});
  TestType kind;
  commit(kind.store(), three_days());
  const std::int64_t before = total(kind.store());
  RollUp hours{RollUpInto::hours, at(2 * 86'400), hour_of, step};
  int steps = 0;
  for (bool more = true; more; ++steps) {
    const auto done = kind.store().roll_up(hours);
    REQUIRE(done);
    more = *done;
    REQUIRE(total(kind.store()) == before);
    REQUIRE(steps < 1000);
  }
  CHECK((step > 7 || steps > 10));
  roll_all(kind.store(), {RollUpInto::days, at(86'400), day_of, step});
  CHECK(total(kind.reopen()) == before);
  TestType at_once;
  commit(at_once.store(), three_days());
  roll_all(at_once.store(), {RollUpInto::hours, at(2 * 86'400), hour_of});
  roll_all(at_once.store(), {RollUpInto::days, at(86'400), day_of});
  CHECK(history(kind.store()) == history(at_once.store()));
}

TEMPLATE_TEST_CASE("after a change of the time zone old days stay as they are, sums stay exact", "",
                   InMemory, InSqlite) {
  TestType kind;
  commit(kind.store(), three_days());
  const std::int64_t before = total(kind.store());
  roll_all(kind.store(), {RollUpInto::hours, at(3 * 86'400), hour_of});
  roll_all(kind.store(), {RollUpInto::days, at(86'400), day_of});
  roll_all(kind.store(), {RollUpInto::days, at(2 * 86'400 + 7'200), western_day_of});
  CHECK(total(kind.reopen()) == before);
  // The same span from quarters and from hours is one row.
  Batch late;
  late.usage = {used("a", 0, 1000)};
  commit(kind.store(), late);
  roll_all(kind.store(), {RollUpInto::hours, at(86'400), day_of});
  CHECK(history(kind.store()).find("a@0+96=" + std::to_string(1000 + 32 + 93 * 32 / 2)) !=
        std::string::npos);
}

TEMPLATE_TEST_CASE("a wide row counts where it begins and is pruned when it has ended", "",
                   InMemory, InSqlite) {
  TestType kind;
  Batch batch;
  batch.usage = {used("a", 10, 1), used("a", kDay + 10, 2), used("a", 2 * kDay, 4)};
  commit(kind.store(), batch);
  roll_all(kind.store(), {RollUpInto::hours, at(2 * 86'400), hour_of});
  roll_all(kind.store(), {RollUpInto::days, at(2 * 86'400), day_of});
  const auto part = kind.store().usage({at(1), at(86'400 + 1), {}});
  REQUIRE(part);
  REQUIRE(part->size() == 2);  // of the first quarter, as the range names whole buckets
  CHECK(kind.store().usage({at(900), at(86'400), {}})->empty());
  REQUIRE(kind.store().prune(at(2 * 86'400 - 900), at(0), at(0)));
  CHECK(history(kind.store()) == "a@96+96=2 a@192+1=4 ");
  REQUIRE(kind.store().prune(at(2 * 86'400), at(0), at(0)));
  CHECK(history(kind.reopen()) == "a@192+1=4 ");
  CHECK(kind.store().load()->usage_totals.at("a").at("m").input == 7);
}

TEMPLATE_TEST_CASE("a visitor ends the reading with its own error", "", InMemory, InSqlite) {
  TestType kind;
  commit(kind.store(), three_days());
  int seen = 0;
  const Status ended = kind.store().each_usage({}, [&](const UsageRow&) -> Status {
    return ++seen < 5 ? Status() : Status(fail(ErrorCode::too_large, "enough"));
  });
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == ErrorCode::too_large);
  CHECK(seen == 5);
  CHECK(total(kind.store()) == 2 * (96 + 3 * 96 * 95 / 2));
}

}  // namespace keyherd::test
