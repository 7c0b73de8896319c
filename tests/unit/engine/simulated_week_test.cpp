#include <catch2/catch.hpp>

#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using namespace std::chrono_literals;
using model::KeyState;

namespace {

constexpr int kKeys = 1'000;
constexpr int kPools = 10;

std::string key_name(int i) {
  return "k" + std::to_string(i);
}

std::string herd_config() {
  std::string text = "[agent]\nstate = \":memory:\"\n";
  for (int p = 0; p < kPools; ++p) {
    const std::string id = std::to_string(p);
    text += "[providers.p" + id + "]\ntype = \"deepseek\"\nprobe = { every = \"2h\" }\n";
    text += "[pools.pool" + id +
            "]\nstrategy = \"round_robin\"\nschedule = \"0 3 * * *\"\npublish = [{ file = \"pool" +
            id + ".json\" }]\nkeys = [";
    for (int i = p; i < kKeys; i += kPools)
      text += "\"" + key_name(i) + "\",";
    text += "]\n";
  }
  for (int i = 0; i < kKeys; ++i)
    text += "[keys." + key_name(i) + "]\nprovider = \"p" + std::to_string(i % kPools) +
            "\"\nsecret = \"env:S" + std::to_string(i) + "\"\n";
  return text + "[usage_logs.log]\npath = \"usage.jsonl\"\n";
}

}  // namespace

TEST_CASE(
    "a simulated week with a thousand keys: beliefs follow the truth, no pool is left on a dead "
    "key",
    "[simulation][week]") {
  World world(herd_config());
  world.start();
  world.advance(10min);
  SeededRandom weather(7);
  std::set<std::string> revoked;
  std::int64_t logged = 0;
  for (int hour = 0; hour < 7 * 24; ++hour) {
    if (hour % 6 == 3) {  // a key somewhere is revoked for good; sometimes it is an active one
      const int pool = static_cast<int>(weather.next() % kPools);
      const std::string key = weather.unit() < 0.5
                                  ? world.active("pool" + std::to_string(pool))
                                  : key_name(static_cast<int>(weather.next() % kKeys));
      revoked.insert(key);
      world.provider.status[World::secret_of(key)] = 401;
    }
    if (hour % 24 == 10)
      world.provider.outage = 503;
    if (hour % 24 == 12)
      world.provider.outage = 0;
    for (int p = 0; p < kPools; ++p) {
      const std::string key = world.active("pool" + std::to_string(p));
      world.log_line(key, world.provider.outage != 0 ? 503 : revoked.contains(key) ? 401 : 200, 10);
      ++logged;
    }
    world.advance(1h);
    if (hour == 80)
      world.start();  // a restart in the middle
  }
  world.advance(12h);
  for (int i = 0; i < kKeys; ++i) {
    const std::string key = key_name(i);
    CAPTURE(key);
    CHECK((world.state(key) == KeyState::dead) == revoked.contains(key));
  }
  std::int64_t counted = 0;
  for (const auto& view : world.snapshot()->keys) {
    for (const auto& [name, counts] : view->usage_by_model)
      counted += counts.requests;
  }
  CHECK(counted == logged);
  for (int p = 0; p < kPools; ++p) {
    const std::string id = "pool" + std::to_string(p);
    CAPTURE(id);
    CHECK_FALSE(revoked.contains(world.active(id)));
    CHECK(world.pool(id).schedule_runs >= 7);
    CHECK(world.file(id + ".json")["generation"] == world.pool(id).state.generation);
    CHECK(world.file(id + ".json")["key"] == world.active(id));
  }
}
