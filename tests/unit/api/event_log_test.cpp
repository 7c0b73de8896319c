#include "api/event_log.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "api/event_feed.hpp"

using namespace keyherd;
using namespace keyherd::api;
using nlohmann::json;

namespace {

std::shared_ptr<model::KeyView> key_in(const std::string& id, model::KeyState state) {
  auto key = std::make_shared<model::KeyView>();
  key->key.id = id;
  key->health.key = id;
  key->health.state = state;
  return key;
}

model::Snapshot scene() {
  model::Snapshot snapshot;
  snapshot.version = 1;
  for (const char* id : {"a", "b", "c"})
    snapshot.keys.push_back(key_in(id, model::KeyState::healthy));
  auto pool = std::make_shared<model::PoolView>();
  pool->pool.id = "prod";
  snapshot.pools.push_back(pool);
  auto provider = std::make_shared<model::ProviderView>();
  provider->provider.id = "p";
  snapshot.providers.push_back(provider);
  auto source = std::make_shared<model::SourceView>();
  source->log.id = "log";
  snapshot.sources.push_back(source);
  return snapshot;
}

std::vector<std::string> types(const std::vector<Event>& events) {
  std::vector<std::string> list;
  for (const Event& event : events)
    list.push_back(event.type);
  return list;
}

std::vector<Event> many(std::size_t count) {
  return std::vector<Event>(count, Event{0, "key", "a", "", "{}"});
}

}  // namespace

TEST_CASE("nothing happened between a snapshot and itself, and nothing before the first") {
  CHECK(changes_between(scene(), scene()).empty());
  CHECK(changes_between(model::Snapshot{}, scene()).empty());
}

TEST_CASE("a key's new state is told with where it came from; keys that come and go are no event") {
  const model::Snapshot before = scene();
  model::Snapshot now = scene();
  now.keys.update({key_in("b", model::KeyState::dead), key_in("bb", model::KeyState::dead)});
  now.keys.erase_if([](const model::KeyView& view) { return view.key.id == "a"; });
  const auto events = changes_between(before, now);
  REQUIRE(events.size() == 1);
  CHECK(events[0].type == "key");
  CHECK(events[0].key == "b");
  const json data = json::parse(events[0].data);
  CHECK(data["key"] == "b");
  CHECK(data["from"] == "healthy");
  CHECK(data["state"] == "dead");
  CHECK(data.contains("at"));
  CHECK(data.contains("why"));
}

TEST_CASE("levels of quotas, pools, rotations, providers, logs and the agent are told") {
  model::Snapshot before = scene();
  model::Snapshot now = scene();
  model::QuotaStatus quota;
  quota.quota = "daily";
  quota.owner = "c";
  auto low = key_in("c", model::KeyState::healthy);
  low->quotas = {quota};
  quota.level = 2;
  auto high = key_in("c", model::KeyState::healthy);
  high->quotas = {quota};
  before.keys.update({low});
  now.keys.update({high});
  auto pool = std::make_shared<model::PoolView>(*now.pools[0]);
  pool->state.generation = 7;
  pool->state.active = "b";
  now.pools[0] = pool;
  model::Rotation rotation;
  rotation.id = "r1";
  rotation.pool = "prod";
  before.rotations = std::make_shared<std::vector<model::Rotation>>(1, rotation);
  rotation.state = model::RotationState::committed;
  now.rotations = std::make_shared<std::vector<model::Rotation>>(1, rotation);
  auto provider = std::make_shared<model::ProviderView>(*now.providers[0]);
  provider->up = false;
  provider->incident = "everything fails";
  now.providers[0] = provider;
  auto source = std::make_shared<model::SourceView>(*now.sources[0]);
  source->status.problem = "gone";
  now.sources[0] = source;
  now.agent.ready = true;
  const auto events = changes_between(before, now);
  CHECK(types(events) ==
        std::vector<std::string>{"quota", "pool", "rotation", "provider", "source", "agent"});
  CHECK(json::parse(events[0].data)["to"] == 2);
  CHECK(events[0].key == "c");
  CHECK(json::parse(events[1].data)["generation"] == 7);
  CHECK(events[1].pool == "prod");
  CHECK(json::parse(events[2].data)["state"] == "committed");
  CHECK(json::parse(events[3].data)["incident"] == "everything fails");
}

TEST_CASE("a reader goes on where it was, in order, as long as that is still there") {
  EventLog log;
  log.add(many(3));
  std::vector<std::uint64_t> seen;
  const auto keep = [&seen](const Event& event) {
    seen.push_back(event.number);
    return seen.size() < 2;
  };
  CHECK(log.visit(0, keep));
  CHECK(seen == std::vector<std::uint64_t>{1, 2});
  seen.clear();
  CHECK(log.visit(3, keep));
  CHECK(seen.empty());
  log.add(many(EventLog::kMost));
  CHECK(log.visit(3, keep));
  CHECK_FALSE(log.visit(2, keep));
}

TEST_CASE("ids name the run: those of another one, and invented ones, are none") {
  EventLog log;
  log.add(many(5));
  CHECK(log.number_of(log.id_of(4)) == 4U);
  CHECK_FALSE(EventLog().number_of(log.id_of(4)));
  for (const std::string& bad : {std::string(), std::string("4"), log.id_of(6), log.id_of(4) + "x",
                                 "x" + log.id_of(4), std::string("-4")})
    CHECK_FALSE(log.number_of(bad));
}
