#include "api/views.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/time_text.hpp"

using namespace keyherd;
using namespace keyherd::api;

namespace {

model::UsageRow row(const char* key, const char* model, const char* time, std::int64_t input) {
  model::UsageRow result{key, model, model::bucket_of(*parse_rfc3339(time)), {}};
  result.counts.requests = 1;
  result.counts.input = input;
  result.counts.cost = 1'500'000;
  return result;
}

model::Snapshot two_pools() {
  model::Snapshot snapshot;
  for (const char* id : {"k1", "k2"}) {
    auto view = std::make_shared<model::KeyView>();
    view->key.id = id;
    view->health.key = id;
    snapshot.keys.push_back(view);
  }
  for (const auto& [pool, key] : {std::pair{"a", "k1"}, std::pair{"b", "k2"}}) {
    auto view = std::make_shared<model::PoolView>();
    view->pool.id = pool;
    view->pool.keys = {key};
    snapshot.pools.push_back(view);
  }
  return snapshot;
}

}  // namespace

TEST_CASE("usage is summed by the named columns") {
  const std::vector<model::UsageRow> rows{row("a", "m", "2026-05-01T23:45:00Z", 1),
                                          row("a", "n", "2026-05-02T00:00:00Z", 2),
                                          row("b", "m", "2026-05-02T00:15:00Z", 4)};
  const auto by_key = usage_json(rows, {"key"});
  REQUIRE(by_key);
  CHECK((*by_key)[0]["key"] == "a");
  CHECK((*by_key)[0]["input_tokens"] == 3);
  CHECK((*by_key)[0]["cost_usd"] == 0.003);
  CHECK((*by_key)[1]["requests"] == 1);
  const auto by_day = usage_json(rows, {"day"});
  CHECK((*by_day)[0]["day"] == "2026-05-01");
  CHECK((*by_day)[1]["input_tokens"] == 6);
  CHECK((*usage_json(rows, {"hour"}))[0]["hour"] == "2026-05-01T23:00:00Z");
  CHECK((*usage_json(rows, {"month"}))[0]["month"] == "2026-05");
  const auto bad = usage_json(rows, {"colour"});
  REQUIRE_FALSE(bad);
  CHECK(bad.error().message.find("'colour'") != std::string::npos);
}

TEST_CASE("a confined principal sees neither other pools nor their keys") {
  const model::Snapshot snapshot = two_pools();
  const auto all = status_json(snapshot, Principal{});
  CHECK(all["keys"].size() == 2);
  const auto some = status_json(snapshot, Principal{model::Role::read, {"b"}});
  REQUIRE(some["keys"].size() == 1);
  CHECK(some["keys"][0]["id"] == "k2");
  CHECK(some["pools"][0]["id"] == "b");
}

TEST_CASE("the status has the shape that scripts rely on") {
  const auto status = status_json(two_pools(), Principal{});
  for (const char* field : {"id", "provider", "state", "verdict", "since", "quotas"})
    CHECK(status["keys"][0].contains(field));
  for (const char* field : {"id", "active", "generation", "available", "next_rotation_at"})
    CHECK(status["pools"][0].contains(field));
}
