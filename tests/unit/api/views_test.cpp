#include "api/views.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace keyherd;
using namespace keyherd::api;

namespace {

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
