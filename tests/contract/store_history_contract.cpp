// What every Store promises about its histories: order, limits, and what pruning leaves.

#include <catch2/catch.hpp>

#include "store_kinds.hpp"
#include "store_text.hpp"

namespace keyherd::test {

namespace {

using model::UsageRow;
using store::Batch;

const std::int64_t kBucket = model::bucket_of(at(0));
const std::int64_t kMinute = model::minute_of(at(0));

model::UsageCounts one() {
  model::UsageCounts counts;
  counts.requests = 1;
  return counts;
}

std::vector<std::string> places(const Result<std::vector<UsageRow>>& rows) {
  REQUIRE(rows);
  std::vector<std::string> places;
  for (const auto& row : *rows)
    places.push_back(row.key + "/" + row.model + "/" + std::to_string(row.bucket - kBucket));
  return places;
}

model::Evidence evidence(const std::string& key, int seconds, const std::string& message) {
  model::Evidence e;
  e.key = key;
  e.at = at(seconds);
  e.message = message;
  return e;
}

std::string messages(const std::vector<model::Evidence>& entries) {
  std::string text;
  for (const auto& entry : entries)
    text += entry.message + " ";
  return text;
}

model::Rotation rotation(const std::string& id, const std::string& pool, int seconds,
                         model::RotationState state) {
  model::Rotation r;
  r.id = id;
  r.pool = pool;
  r.state = state;
  r.started_at = at(seconds);
  r.updated_at = at(seconds);
  return r;
}

std::string ids(const std::vector<model::Rotation>& rotations) {
  std::string text;
  for (const auto& r : rotations)
    text += r.id + " ";
  return text;
}

}  // namespace

TEMPLATE_TEST_CASE("usage comes by key, model and bucket, whole buckets, the end exclusive", "",
                   InMemory, InSqlite) {
  TestType kind;
  Batch batch;
  // Written in an order that is neither alphabetic nor by time.
  for (const char* key : {"z", "b", "a"}) {
    for (const char* model : {"n", "m"}) {
      for (int bucket : {2, 0, 1})
        batch.usage.push_back(UsageRow{key, model, kBucket + bucket, one()});
    }
  }
  commit(kind.store(), batch);
  store::Store& store = kind.reopen();
  CHECK(places(store.usage({})) ==
        std::vector<std::string>{"a/m/0", "a/m/1", "a/m/2", "a/n/0", "a/n/1", "a/n/2", "b/m/0",
                                 "b/m/1", "b/m/2", "b/n/0", "b/n/1", "b/n/2", "z/m/0", "z/m/1",
                                 "z/m/2", "z/n/0", "z/n/1", "z/n/2"});
  // From the middle of bucket 1: the whole of it.
  CHECK(places(store.usage({at(900 + 60), std::nullopt, {"b", "unheard of"}})) ==
        std::vector<std::string>{"b/m/1", "b/m/2", "b/n/1", "b/n/2"});
  CHECK(places(store.usage({at(0), at(900), {"z", "a", "a"}})) ==
        std::vector<std::string>{"a/m/0", "a/n/0", "z/m/0", "z/n/0"});
  CHECK(places(store.usage({std::nullopt, at(901), {"a"}})) ==
        std::vector<std::string>{"a/m/0", "a/m/1", "a/n/0", "a/n/1"});
  CHECK(places(store.usage({at(5400), at(9000), {}})).empty());
}

TEMPLATE_TEST_CASE("minutes come by key and minute", "", InMemory, InSqlite) {
  TestType kind;
  Batch batch;
  for (const char* key : {"z", "a"}) {
    for (int minute : {2, 0, 1})
      batch.minutes.push_back(model::MinuteRow{key, kMinute + minute, one()});
  }
  commit(kind.store(), batch);
  const auto rows = kind.reopen().minutes({at(60), at(121), {}});
  REQUIRE(rows);
  std::string text;
  for (const auto& row : *rows)
    text += row.key + std::to_string(row.minute - kMinute) + " ";
  CHECK(text == "a1 a2 z1 z2 ");
  const auto some = kind.store().minutes({std::nullopt, std::nullopt, {"z", "other"}});
  REQUIRE(some);
  CHECK(some->size() == 3);
}

TEMPLATE_TEST_CASE("evidence comes newest first by its own time, of equal times the later written",
                   "", InMemory, InSqlite) {
  TestType kind;
  Batch batch;
  batch.evidence = {evidence("k", 10, "ten"), evidence("k", 30, "thirty"),
                    evidence("k", 20, "twenty"), evidence("k", 30, "thirty-again"),
                    evidence("other", 40, "foreign")};
  batch.changes = {
      {"k", model::KeyState::unknown, model::KeyState::healthy, model::Verdict::ok, at(5), "1st"},
      {"k", model::KeyState::healthy, model::KeyState::dead, model::Verdict::invalid_key, at(6),
       "2nd"}};
  commit(kind.store(), batch);
  store::Store& store = kind.reopen();
  CHECK(messages(*store.evidence({"k", std::nullopt, 100})) == "thirty-again thirty twenty ten ");
  CHECK(messages(*store.evidence({"k", std::nullopt, 2})) == "thirty-again thirty ");
  CHECK(store.evidence({"k", std::nullopt, 0})->empty());
  CHECK(store.evidence({"unheard of", std::nullopt, 5})->empty());
  CHECK(messages(*store.evidence({"k", at(20), 100})) == "twenty ten ");
  CHECK(store.evidence({"k", at(9), 100})->empty());
  CHECK(store.changes({"k", at(5), 10})->front().why == "1st");
  const auto changes = store.changes({"k", std::nullopt, 1});
  REQUIRE(changes);
  REQUIRE(changes->size() == 1);
  CHECK(changes->front().why == "2nd");
  CHECK(messages(store.load()->evidence) == "foreign thirty-again thirty twenty ");
}

TEMPLATE_TEST_CASE("a start reads a bounded history of each key, the query reads all of it", "",
                   InMemory, InSqlite) {
  TestType kind;
  Batch batch;
  for (int i = 0; i < 50; ++i) {
    batch.evidence.push_back(evidence("busy", i, std::to_string(i)));
    batch.changes.push_back({"busy", model::KeyState::healthy, model::KeyState::throttled,
                             model::Verdict::rate_limited, at(i), "again"});
  }
  batch.evidence.push_back(evidence("quiet", 0, "once"));
  commit(kind.store(), batch);
  const auto state = kind.reopen().load();
  REQUIRE(state);
  CHECK(state->evidence.size() == store::kRecentPerKey + 1);
  CHECK(state->evidence.front().message == "49");
  CHECK(kind.store().changes({"busy", std::nullopt, 1000})->size() == 50);
  CHECK(kind.store().evidence({"busy", std::nullopt, 1000})->size() == 50);
}

TEMPLATE_TEST_CASE("a start reads the newest probes of a key whose log says more", "", InMemory,
                   InSqlite) {
  TestType kind;
  Batch batch;
  for (int i = 0; i < 50; ++i) {
    batch.evidence.push_back(evidence("k", i, std::to_string(i)));
    batch.evidence.back().probe.reset();
    if (i % 10 == 0)
      batch.evidence.back().probe = model::ProbeKind::balance;
  }
  commit(kind.store(), batch);
  CHECK(messages(kind.reopen().load()->evidence) == "49 48 47 40 30 ");
}

TEMPLATE_TEST_CASE("rotations come newest first, of one pool or of all", "", InMemory, InSqlite) {
  TestType kind;
  using S = model::RotationState;
  Batch batch;
  batch.rotations = {rotation("r1", "p", 10, S::retired), rotation("r3", "q", 30, S::retired),
                     rotation("r2", "p", 20, S::retired)};
  commit(kind.store(), batch);
  store::Store& store = kind.reopen();
  CHECK(ids(*store.rotations("", 10)) == "r3 r2 r1 ");
  CHECK(ids(*store.rotations("p", 10)) == "r2 r1 ");
  CHECK(ids(*store.rotations("p", 1)) == "r2 ");
  CHECK(store.rotations("none", 10)->empty());
}

TEMPLATE_TEST_CASE("a start reads the newest 200 rotations and every unfinished one", "", InMemory,
                   InSqlite) {
  TestType kind;
  using S = model::RotationState;
  Batch batch;
  batch.rotations = {rotation("old-unfinished", "p", 0, S::published),
                     rotation("old-final", "p", 1, S::retired)};
  constexpr int kHours = 3'600;
  for (int i = 0; i < 200; ++i)
    batch.rotations.push_back(rotation("new-" + std::to_string(i), "p", 2 * kHours + i,
                                       i == 150 ? S::planned : S::retired));
  commit(kind.store(), batch);
  auto state = kind.reopen().load();
  REQUIRE(state);
  REQUIRE(state->rotations.size() == 201);
  CHECK(state->rotations.front().id == "new-199");
  CHECK(state->rotations.back().id == "old-unfinished");

  // Pruning forgets only what is final, old and not among the newest 200.
  REQUIRE(kind.store().prune(at(0), at(0), at(100)));
  const auto left = kind.store().rotations("", 1000);
  REQUIRE(left);
  CHECK(left->size() == 201);
  CHECK(left->back().id == "old-unfinished");
}

TEMPLATE_TEST_CASE("a start reads every rotation of the hour before the newest", "", InMemory,
                   InSqlite) {
  TestType kind;
  Batch batch;
  batch.rotations = {rotation("old", "p", 0, model::RotationState::retired)};
  for (int i = 0; i < 700; ++i)
    batch.rotations.push_back(rotation("r" + std::to_string(1'000 + i), "p", 3'600 + 5 * i,
                                       model::RotationState::retired));
  commit(kind.store(), batch);
  const auto state = kind.reopen().load();
  REQUIRE(state);
  CHECK(state->rotations.size() == 700);
  CHECK(state->rotations.front().id == "r1699");
  CHECK(state->rotations.back().id == "r1000");
}

TEMPLATE_TEST_CASE("falls of a balance add up by key, currency and bucket, since the earliest look",
                   "", InMemory, InSqlite) {
  TestType kind;
  Batch first;
  first.balance_drops = {{"k", "USD", kBucket, 40, 1, at(-60)}, {"k", "CNY", kBucket, 7, 0, at(0)}};
  first.balances = {{"k", "USD", 960, at(10), 40}};
  commit(kind.store(), first);
  Batch second;
  second.balance_drops = {{"k", "USD", kBucket, 2, 1, at(10)},
                          {"j", "USD", kBucket + 1, 1, 0, at(0)}};
  second.balances = {{"k", "USD", 958, at(20), 42}};
  commit(kind.store(), second);
  store::Store& store = kind.reopen();
  CHECK(*store.balance_drops({}) ==
        std::vector<model::BalanceDrop>{{"j", "USD", kBucket + 1, 1, 0, at(0)},
                                        {"k", "CNY", kBucket, 7, 0, at(0)},
                                        {"k", "USD", kBucket, 42, 2, at(-60)}});
  CHECK(store.balance_drops({at(0), at(900), {"j"}})->empty());
  CHECK(store.balance_drops({at(900), std::nullopt, {}})->size() == 1);
  CHECK(store.load()->balances == second.balances);
}

TEMPLATE_TEST_CASE("pruning deletes history and leaves the totals", "", InMemory, InSqlite) {
  TestType kind;
  Batch batch;
  for (int i = 0; i < 4; ++i) {
    batch.usage.push_back(UsageRow{"k", "m", kBucket + i, one()});
    batch.minutes.push_back(model::MinuteRow{"k", kMinute + i, one()});
    batch.balance_drops.push_back({"k", "USD", kBucket + i, 5, 0, at(900 * i - 1)});
    batch.evidence.push_back(evidence("k", 100 * i, std::to_string(i)));
    batch.changes.push_back({"k", model::KeyState::unknown, model::KeyState::healthy,
                             model::Verdict::ok, at(100 * i), std::to_string(i)});
    batch.fires.push_back({"pool", at(100 * i), at(100 * i), std::to_string(i)});
  }
  batch.fires.push_back({"rare pool", at(1), at(1), "kept"});
  batch.pool_totals["pool"].schedule_runs = 4;
  commit(kind.store(), batch);

  // In the middle of bucket 2, at the start of minute 3, at evidence 2: what ended before goes.
  REQUIRE(kind.store().prune(at(2 * 900 + 5), at(180), at(200)));
  store::Store& store = kind.reopen();
  CHECK(places(store.usage({})) == std::vector<std::string>{"k/m/2", "k/m/3"});
  REQUIRE(store.balance_drops({})->size() == 2);
  CHECK(store.balance_drops({})->front().bucket == kBucket + 2);
  REQUIRE(store.minutes({})->size() == 1);
  CHECK(store.minutes({})->front().minute == kMinute + 3);
  CHECK(messages(*store.evidence({"k", std::nullopt, 10})) == "3 2 ");
  // The last change before that time tells the state from then on.
  CHECK(store.changes({"k", std::nullopt, 10})->size() == 3);
  CHECK(store.changes({"k", at(199), 10})->front().why == "1");
  const auto state = store.load();
  REQUIRE(state);
  CHECK(state->usage_totals.at("k").at("m").requests == 4);
  CHECK(state->pool_totals.at("pool").schedule_runs == 4);
  CHECK(state->last_fires.at("pool").outcome == "3");
  CHECK(state->last_fires.at("rare pool").outcome == "kept");
  // A fire that pruning kept is still known, one that it deleted lies before anything scheduled.
  Batch again;
  again.fires = {{"rare pool", at(1), at(2), "started"}};
  CHECK_FALSE(store.commit(again));
}

}  // namespace keyherd::test
