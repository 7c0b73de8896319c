#include <catch2/catch.hpp>

#include <set>

#include "follower.hpp"
#include "usage/accumulator.hpp"

using namespace keyherd;
using namespace keyherd::usage;

namespace {

struct Ledger {
  explicit Ledger(std::shared_ptr<const model::UsageContext> context) {
    names.set_context(std::move(context));
    sums.set_now(now);
  }
  model::Tally add(Record record, std::string_view key = "k1", std::string_view model = "m") {
    record.key = key;
    record.model = model;
    if (record.at == 0)
      record.at = to_unix_nanos(now);
    sums.add(record, 0);
    model::Tally tally;
    sums.take(tally);
    return tally;
  }
  WallTime now = test::ManualClock().now().wall;
  Names names{UnknownKeys::reject};
  Accumulator sums{names};
};

Record tokens(std::int64_t input, std::int64_t cached, std::int64_t written, std::int64_t output) {
  Record record;
  record.input = input;
  record.cached_input = cached;
  record.cache_write = written;
  record.output = output;
  return record;
}

}  // namespace

TEST_CASE("each kind of token has its price, rounded half up at a nano") {
  const model::Price price{1'000'000'000, 100'000'000, 2'000'000'000, 4'000'000'000};
  CHECK(price_of(tokens(1000, 300, 100, 50), price) ==
        600 * 1000 + 300 * 100 + 100 * 2000 + 50 * 4000);
  CHECK(price_of(tokens(1, 0, 0, 0), {499'999, 0, 0, 0}) == 0);
  CHECK(price_of(tokens(1, 0, 0, 0), {500'000, 0, 0, 0}) == 1);
  CHECK(price_of(tokens(3, 0, 0, 0), {500'000, 0, 0, 0}) == 2);
}

TEST_CASE("more cached than input costs what it is, and nothing negative") {
  CHECK(price_of(tokens(10, 100, 50, 0), {1'000'000, 2'000'000, 3'000'000, 0}) == 350);
}

TEST_CASE("prices of huge counts go through 128 bits and saturate") {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  CHECK(price_of(tokens(kMax, 0, 0, 0), {1'000'000, 0, 0, 0}) == kMax);
  CHECK(price_of(tokens(kMax, 0, 0, kMax), {kMax, 0, 0, kMax}) == kMax);
  CHECK(price_of(tokens(4'000'000'000'000, 0, 0, 0), {3'000'000'000, 0, 0, 0}) ==
        12'000'000'000'000'000);
}

TEST_CASE("a logged cost wins, an unknown price is counted once there were tokens") {
  Ledger ledger(test::two_keys());
  Record logged = tokens(1000, 0, 0, 0);
  logged.cost = 5;
  CHECK(ledger.add(logged).usage.front().counts.cost == 5);
  CHECK(ledger.add(tokens(1000, 0, 0, 0)).usage.front().counts.cost == 1'000'000);

  const auto unpriced = ledger.add(tokens(10, 0, 0, 0), "k1", "new-model").usage.front().counts;
  CHECK(unpriced.cost == 0);
  CHECK(unpriced.unpriced == 1);
  CHECK(ledger.add(logged, "k1", "new-model").usage.front().counts.unpriced == 0);
  CHECK(ledger.add(tokens(0, 0, 0, 0), "k1", "new-model").usage.front().counts.unpriced == 0);
  Record failed = tokens(10, 0, 0, 0);
  failed.status = 500;
  CHECK(ledger.add(failed, "k1", "new-model").usage.front().counts.unpriced == 0);
}

TEST_CASE("a date behind a model's name does not hide its price, an exact name comes first") {
  auto context = test::two_keys();
  context->prices["p"]["m-2026-01-01"] = {9'000'000'000, 0, 0, 0};
  Ledger ledger(context);
  const auto cost = [&](const char* model) {
    return ledger.add(tokens(1, 0, 0, 0), "k1", model).usage.front().counts.cost;
  };
  CHECK(cost("m-2026-05-01") == 1000);
  CHECK(cost("m-20260501") == 1000);
  CHECK(cost("m-2026-01-01") == 9000);
  CHECK(cost("m-2026-5-1") == 0);
  CHECK(cost("mm") == 0);
}

TEST_CASE("failures are summed by status, successes by key") {
  Ledger ledger(test::two_keys());
  Record record = tokens(1, 0, 0, 0);
  record.key = "k1";
  record.model = "m";
  for (const std::int64_t status : {200, 301, 399, 400, 401, 401, 0, 599}) {
    record.status = status;
    record.at = to_unix_nanos(ledger.now) + 599 - status;
    ledger.sums.add(record, 0);
  }
  model::Tally tally;
  ledger.sums.take(tally);
  CHECK(tally.usage.front().counts.requests == 8);
  CHECK(tally.usage.front().counts.failed == 5);
  REQUIRE(tally.failures.size() == 4);
  CHECK(tally.failures[0].http_status == 0);
  CHECK(tally.failures[2].http_status == 401);
  CHECK(tally.failures[2].count == 2);
  REQUIRE(tally.successes.size() == 1);
  CHECK(tally.successes[0].count == 3);
  CHECK(to_unix_nanos(tally.successes[0].last_at) == to_unix_nanos(ledger.now) + 399);
}

TEST_CASE(
    "models beyond the cap and names unfit for a label become other; priced ones are always told "
    "apart") {
  auto context = test::two_keys();
  context->max_models = 3;
  Ledger ledger(context);
  std::set<std::string> seen;
  std::int64_t folded = 0;
  for (int i = 0; i < 10; ++i) {
    const auto tally = ledger.add(tokens(1, 0, 0, 0), "k1", "model-" + std::to_string(i));
    seen.insert(tally.usage.front().model);
    folded += tally.counts.models_folded;
  }
  CHECK(seen == std::set<std::string>{"model-0", "model-1", "model-2", "other"});
  CHECK(folded == 7);
  CHECK(ledger.add(tokens(1, 0, 0, 0), "k1", "m").usage.front().model == "m");
  CHECK(ledger.add(tokens(1, 0, 0, 0), "k1", "model-1").usage.front().model == "model-1");
  CHECK(ledger.add(tokens(1, 0, 0, 0), "k1", std::string(200, 'x')).usage.front().model == "other");
  CHECK(ledger.add(tokens(1, 0, 0, 0), "k1", std::string_view("a\0b", 3)).usage.front().model ==
        "other");
}

TEST_CASE(
    "lines from more than five minutes ahead are accounted at receipt, old ones where they "
    "belong") {
  Ledger ledger(test::two_keys());
  const auto at = [&](std::chrono::nanoseconds ahead) {
    Record record = tokens(1, 0, 0, 0);
    record.at = to_unix_nanos(ledger.now + ahead);
    return ledger.add(record);
  };
  using std::chrono::minutes;
  const auto near = at(minutes(5));
  CHECK(near.counts.future == 0);
  CHECK(near.successes.front().last_at == ledger.now + minutes(5));
  for (const auto ahead : {minutes(10), minutes(60 * 24 * 3650)}) {
    const auto far = at(ahead);
    CHECK(far.counts.future == 1);
    CHECK(far.counts.records == 1);
    CHECK(far.usage.front().bucket == model::bucket_of(ledger.now));
    CHECK(far.successes.front().last_at == ledger.now);
  }
  const auto old = at(-std::chrono::hours(24 * 100));
  CHECK(old.usage.front().bucket == model::bucket_of(ledger.now - std::chrono::hours(24 * 100)));
}

TEST_CASE("keys and prices change between batches") {
  Ledger ledger(test::two_keys());
  CHECK(ledger.add(tokens(1, 0, 0, 0), "k1").usage.front().counts.cost == 1000);
  auto changed = test::two_keys();
  changed->keys.erase("k1");
  changed->keys["k3"] = {"k3", "q", false};
  changed->prices["q"]["m"] = {7'000'000'000, 0, 0, 0};
  ledger.names.set_context(changed);
  CHECK(ledger.add(tokens(1, 0, 0, 0), "k1").counts.records == 0);
  CHECK(ledger.add(tokens(1, 0, 0, 0), "k3").usage.front().counts.cost == 7000);
  CHECK(ledger.add(tokens(1, 0, 0, 0), "sha256:0123456789ab").usage.front().key == "k2");
}

TEST_CASE("a line costs what held in its quarter of an hour, in the zone of the price") {
  auto context = test::two_keys();
  model::ModelPrice& price = context->prices["p"]["timed"];
  price = model::ModelPrice(1'000'000'000, 0, 0, 0);
  price.tariffs[0].timezone = "Asia/Shanghai";
  price.tariffs[0].periods = {{0b0111110, 9 * 60, 12 * 60, {2'000'000'000, 0, 0, 0}}};
  price.tariffs.insert(price.tariffs.begin(),
                       {WallTime::min(), {7'000'000'000, 0, 0, 0}, "UTC", {}});
  price.tariffs[1].since = *parse_rfc3339("2026-01-01T00:00:00Z");
  Ledger ledger(context);
  ledger.now = *parse_rfc3339("2026-05-10T00:00:00Z");
  ledger.sums.set_now(ledger.now);
  const auto cost_at = [&](const char* time) {
    Record record = tokens(1000, 0, 0, 0);
    record.at = to_unix_nanos(*parse_rfc3339(time));
    return ledger.add(record, "k1", "timed").usage.front().counts.cost / 1'000'000;
  };
  for (int again = 0; again < 2; ++again) {
    CHECK(cost_at("2026-05-07T00:59:59Z") == 1);
    CHECK(cost_at("2026-05-07T01:00:00Z") == 2);  // Thursday, 09:00 there
    CHECK(cost_at("2026-05-07T03:59:59.9Z") == 2);
    CHECK(cost_at("2026-05-07T04:00:00Z") == 1);
    CHECK(cost_at("2026-05-09T01:00:00Z") == 1);  // Saturday
    CHECK(cost_at("2025-12-31T23:59:59Z") == 7);
  }
}

TEST_CASE("fifty thousand keys are told apart, in large batches and small ones in turns") {
  constexpr int kKeys = 50'000;
  auto context = std::make_shared<model::UsageContext>();
  std::vector<std::string> ids;
  for (int i = 0; i < kKeys; ++i) {
    ids.push_back("key-" + std::to_string(i));
    context->keys[ids.back()] = {ids.back(), "p", false};
  }
  Ledger ledger(context);
  for (const int keys : {kKeys, 1, 300, 3, kKeys, 2'176, 2'177}) {
    CAPTURE(keys);
    for (int line = 0; line < 2 * keys; ++line) {
      const int key = line % keys;
      Record record = tokens(key, 0, 0, 0);
      record.at = to_unix_nanos(ledger.now);
      record.key = ids[static_cast<std::size_t>(key)];
      record.model = "m";
      ledger.sums.add(record, 0);
    }
    model::Tally tally;
    ledger.sums.take(tally);
    REQUIRE(tally.usage.size() == static_cast<std::size_t>(keys));
    for (const auto& row : tally.usage) {
      REQUIRE(row.counts.requests == 2);
      REQUIRE(row.key == "key-" + std::to_string(row.counts.input / 2));
    }
  }
}
