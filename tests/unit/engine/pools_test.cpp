// Pools at work, where they depend on hours, budgets and what usage logs show.

#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <fstream>

#include "support/temp_dir.hpp"
#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using namespace std::chrono_literals;

namespace {

std::string two_providers(const std::string& pool) {
  return R"(
[agent]
state = ":memory:"
[providers.east]
type = "deepseek"
base_url = "https://east.test"
[providers.east.prices.deepseek-flash]
input = 2
output = 2
periods = [{ from = "00:30", to = "08:30", input = 1, output = 1 }]
[providers.west]
type = "deepseek"
base_url = "https://west.test"
[providers.west.prices.deepseek-flash]
input = 1.5
output = 1.5
[keys.e]
provider = "east"
secret = "env:E"
priority = 5
[keys.w]
provider = "west"
secret = "env:W"
[pools.prod]
keys = ["e", "w"]
publish = [{ file = "prod.json" }]
)" + pool +
         R"(
[usage_logs.log]
path = "usage.jsonl"
)";
}

}  // namespace

// The provider of `e` charges half as much from 00:30 to 08:30.
TEST_CASE("a pool follows the hours of a tariff, for days, with two switches a day") {
  World world(two_providers(R"(rotate_on = ["dead", "exhausted", "dear"])"));
  world.start();
  world.advance(15min);
  CHECK(world.active("prod") == "w");  // `e` is dear at midnight
  const auto first = world.pool("prod").state.generation;
  for (int day = 0; day < 4; ++day) {
    world.advance(45min);  // 01:00
    CHECK(world.active("prod") == "e");
    world.advance(7h + 20min);
    CHECK(world.active("prod") == "e");
    world.advance(15min);  // 08:35
    CHECK(world.active("prod") == "w");
    world.advance(15h + 40min);  // 00:15 of the next day
    CHECK(world.active("prod") == "w");
  }
  CHECK(world.pool("prod").state.generation - first <= 8);
  const auto rotations = world.store->rotations("prod", 20).value();
  CHECK(rotations.front().trigger == model::RotationTrigger::tariff);
  CHECK(world.pool("prod").rotations[static_cast<std::size_t>(model::RotationTrigger::tariff)] >=
        7);
}

TEST_CASE("a budget of more than a hundred switches an hour is what it says, over a restart too") {
  World world(R"(
[agent]
state = ":memory:"
[providers.p]
type = "deepseek"
[keys.k1]
provider = "p"
secret = "env:K1"
[keys.k2]
provider = "p"
secret = "env:K2"
[pools.prod]
keys = ["k1", "k2"]
strategy = "round_robin"
schedule = "*/5 * * * * *"
min_stay = "0s"
rotations_per_hour = 300
publish = [{ file = "prod.json" }]
)");
  world.start();
  world.advance(1s);
  const auto before = world.pool("prod").state.generation;
  world.advance(20min);
  world.start();
  world.advance(30min);
  const auto switches = world.pool("prod").state.generation - before;
  CHECK(switches >= 298);
  CHECK(switches <= 300);
  CHECK(world.pool("prod").schedule_failures > 200);
}

TEST_CASE("adoption is the share of requests that the active key got in the last five minutes") {
  World world(two_providers(""));
  world.start();
  world.advance(1min);
  CHECK_FALSE(world.pool("prod").adoption);
  for (int i = 0; i < 40; ++i)
    world.log_line(i % 4 == 0 ? "w" : "e", 200, 1);
  world.advance(1min);
  REQUIRE(world.pool("prod").adoption);
  CHECK(*world.pool("prod").adoption == Approx(0.75));
  world.call([](engine::Engine& engine, Instant now) {
    engine.rotate({"prod", "w", "", "api:admin", false}, now);
  });
  world.advance(31s);
  CHECK(*world.pool("prod").adoption == Approx(0.25));
  world.advance(6min);
  CHECK_FALSE(world.pool("prod").adoption);
}

namespace {

std::string one_provider(int keys, const std::string& pool) {
  std::string text = "[agent]\nstate = \":memory:\"\n[providers.p]\ntype = \"deepseek\"\n";
  std::string names;
  for (int i = 1; i <= keys; ++i) {
    const std::string id = "k" + std::to_string(i);
    text += "[keys." + id + "]\nprovider = \"p\"\nsecret = \"env:" + id + "\"\n";
    names += (i == 1 ? "\"" : ", \"") + id + "\"";
  }
  return text + "[pools.prod]\nkeys = [" + names + "]\npublish = [{ file = \"prod.json\" }]\n" +
         pool;
}

struct Killed {};

std::int64_t by_schedule_count(const World& world) {
  const auto rows = world.store->rotations("prod", 100).value();
  return std::count_if(rows.begin(), rows.end(), [](const model::Rotation& row) {
    return row.trigger == model::RotationTrigger::schedule;
  });
}

}  // namespace

TEST_CASE("of fifty who ask for a rotation at once one gets it, the others hear which one runs") {
  World world(one_provider(3, ""));
  world.start();
  world.advance(1min);
  std::vector<api::Pending<model::Rotation>> answers;
  world.call([&](engine::Engine& engine, Instant now) {
    for (int i = 0; i < 50; ++i)
      answers.push_back(engine.rotate({"prod", {}, "", "api:admin", false}, now).pending());
  });
  world.advance(5s);
  int done = 0;
  int refused = 0;
  for (const auto& answer : answers) {
    const auto outcome = answer();
    REQUIRE(outcome);
    if (*outcome) {
      ++done;
    } else {
      ++refused;
      CHECK((*outcome).error().code == ErrorCode::conflict);
      CHECK((*outcome).error().message.find(world.pool("prod").state.last_rotation) !=
            std::string::npos);
    }
  }
  CHECK(done == 1);
  CHECK(refused == 49);
  CHECK(world.pool("prod").state.generation == 2);
}

// Consumers that wait for a higher generation would wait for ever.
TEST_CASE("a pool that is taken away and brought back goes on from its generation") {
  const std::string with = one_provider(3, "");
  const std::string without = with.substr(0, with.find("[pools.prod]"));
  World world(with);
  world.start();
  world.advance(1min);
  const auto rotate = [&] {
    world.call([](engine::Engine& engine, Instant now) {
      engine.rotate({"prod", {}, "", "api:admin", false}, now);
    });
  };
  rotate();
  world.advance(5s);
  REQUIRE(world.pool("prod").state.generation == 2);
  const std::string active = world.active("prod");
  const auto expect_return = [&] {
    REQUIRE(world.reload(with));
    world.advance(1min);
    CHECK(world.pool("prod").state.generation == 2);
    CHECK(world.active("prod") == active);
    CHECK(world.file("prod.json")["generation"] == 2);
  };
  REQUIRE(world.reload(without));
  world.advance(1h);
  CHECK(model::find_pool(*world.snapshot(), "prod") == nullptr);
  expect_return();
  world.call([](engine::Engine& engine, Instant now) {
    REQUIRE(engine.freeze("prod", {true, std::nullopt, "api:admin", ""}, now));
  });
  REQUIRE(world.reload(without));
  world.start();
  world.advance(1min);
  expect_return();
  CHECK(world.pool("prod").freeze);
}

TEST_CASE("what is under way in a pool that is taken away ends, and whoever asked for it hears") {
  const std::string with = one_provider(3, "");
  const std::string without = with.substr(0, with.find("[pools.prod]"));
  std::string hooked = with;
  hooked.insert(hooked.rfind(']'), R"(, { webhook = "https://hook.test/keys" })");
  World world(hooked);
  world.provider.status[""] = 503;  // the hook's, who shows no key
  world.start();
  world.advance(5min);
  std::optional<api::Pending<model::Rotation>> answer;
  world.call([&](engine::Engine& engine, Instant now) {
    answer = engine.rotate({"prod", {}, "", "api:admin", false}, now).pending();
  });
  world.advance(5s);  // it is delivered again and again
  REQUIRE_FALSE((*answer)());
  REQUIRE(world.reload(without));
  world.advance(1s);
  const auto told = (*answer)();
  REQUIRE(told);
  CHECK((*told)->state == model::RotationState::committed);
  CHECK((*told)->steps.back().note.find("its pool is no longer configured") != std::string::npos);
  CHECK(world.store->rotations("prod", 1)->at(0).state == model::RotationState::committed);
  REQUIRE(world.reload(hooked));
  world.advance(1min);
  CHECK(world.pool("prod").state.generation == 2);
}

TEST_CASE("keys that fail one after another take the pool to the last one, and no further") {
  World world(one_provider(5, "min_available = 2\n"));
  world.start();
  world.advance(1min);
  const auto before = world.pool("prod").state.generation;
  for (int died = 1; died <= 5; ++died) {
    world.provider.status["sk-world-" + world.active("prod")] = 401;
    world.advance(10min);
    if (died < 5)
      CHECK(world.state(world.active("prod")) == model::KeyState::healthy);
  }
  CHECK(world.pool("prod").state.generation - before == 4);
  CHECK(world.pool("prod").available == 0);
  CHECK(world.pool("prod").problem.find("no usable key to switch to") != std::string::npos);
  CHECK_FALSE(world.active("prod").empty());
  // The first that is mended serves again.
  world.provider.status.clear();
  world.advance(2h);
  CHECK(world.state(world.active("prod")) == model::KeyState::healthy);
}

// The answer of an overloaded provider says nothing of its key, nor as long as another key of it is
// answered otherwise, of an incident: nothing changes but the time.
TEST_CASE("a key whose provider is overloaded is not tried again and again at once") {
  World world(two_providers(R"(rotate_on = ["dead", "throttled"]
[keys.revoked]
provider = "west"
secret = "env:REVOKED"
)"));
  world.provider.status[World::secret_of("revoked")] = 401;
  world.start();
  world.advance(2min);
  REQUIRE(world.active("prod") == "e");
  world.provider.status[World::secret_of("w")] = 503;
  world.log_line("e", 429, 0);
  world.advance(1s);
  REQUIRE(world.state("e") == model::KeyState::throttled);
  const auto attempts = [&] { return world.store->rotations("prod", 1'000).value().size(); };
  const auto before = attempts();
  for (int second = 0; second < 30; ++second) {
    world.log_line("e", 429, 0);
    world.advance(1s);
  }
  CHECK(attempts() - before >= 1);
  CHECK(attempts() - before <= 4);
  CHECK(world.pool("prod").problem.find("w could not be proven a moment ago") != std::string::npos);
  world.provider.status.clear();
  for (int second = 0; second < 61 && world.active("prod") == "e"; ++second) {
    world.log_line("e", 429, 0);
    world.advance(1s);
  }
  CHECK(world.active("prod") == "w");
}

// A firing and the rotation it starts are one transaction: killed anywhere, there is one rotation.
TEST_CASE("a firing rotates once, wherever the agent dies") {
  const std::string config =
      one_provider(3, "strategy = \"round_robin\"\nschedule = \"0 3 * * *\"\n");
  int deaths = 0;
  for (int die_at = 1; die_at <= 20; ++die_at) {
    CAPTURE(die_at);
    World world(config);
    world.start();
    world.advance(2h + 59min);
    const auto before = world.pool("prod").state.generation;
    int effects = 0;
    world.effect = [&] {
      if (++effects == die_at)
        throw Killed{};
    };
    try {
      world.advance(2min);
    } catch (const Killed&) {
      ++deaths;
      world.effect = [] {};
      world.start();
    }
    world.effect = [] {};
    world.advance(5min);
    CHECK(by_schedule_count(world) == 1);
    CHECK(world.pool("prod").state.generation == before + 1);
  }
  CHECK(deaths > 8);
}

TEST_CASE("a firing is not repeated when the clock goes back, nor when it goes on") {
  World world(one_provider(3, "strategy = \"round_robin\"\nschedule = \"0 3 * * *\"\n"));
  world.start();
  world.advance(3h + 1min);
  REQUIRE(by_schedule_count(world) == 1);
  world.clock.step_wall(-2h);
  world.advance(3h);
  CHECK(by_schedule_count(world) == 1);
  world.clock.step_wall(2h);
  world.advance(1h);
  CHECK(by_schedule_count(world) == 1);
  world.advance(24h);
  CHECK(by_schedule_count(world) == 2);
}

TEST_CASE("restarts around the due minute fire once") {
  World world(one_provider(3, "strategy = \"round_robin\"\nschedule = \"0 3 * * *\"\n"));
  world.start();
  world.advance(2h + 59min);
  for (int i = 0; i < 100; ++i) {
    world.start();
    world.advance(1s);
  }
  world.advance(5min);
  CHECK(by_schedule_count(world) == 1);
}

// The issuer is a command; every secret that it makes ends in ten days.
TEST_CASE("a secret that ends by itself is known to end, over a restart, until it is replaced") {
  const TempDir dir;
  const std::string command = dir / "issue";
  std::ofstream(command) << R"(#!/bin/sh
read order
case "$order" in
*create*) n=$(cat "$(dirname "$0")/n" 2>/dev/null || echo 0); n=$((n + 1))
  echo $n > "$(dirname "$0")/n"
  echo '{"id":"id-'$n'","secret":"sk-world-minted-'$n'","expires_at":"2026-05-1'$n'T00:00:00Z"}' ;;
*find*) echo '{"keys":[]}' ;;
*) echo '{}' ;;
esac
)";
  REQUIRE(::chmod(command.c_str(), 0700) == 0);
  World world(R"(
[agent]
state = ":memory:"
master_key = "env:MASTER"
[providers.p]
type = "deepseek"
[issuers.vendor]
type = "command"
command = [")" +
              command +
              R"("]
[keys.a]
provider = "p"
secret = "keyring:a"
[keys.b]
provider = "p"
secret = "keyring:b"
expires_at = 2026-05-02T00:00:00Z
[pools.prod]
keys = ["a", "b"]
mode = "command"
issuer = "vendor"
publish = [{ file = "prod.json" }]
)");
  world.start();
  world.advance(1min);
  REQUIRE(world.active("prod") == "a");
  const auto date = [](int day) {
    return parse_rfc3339("2026-05-" + std::to_string(day) + "T00:00:00Z").value();
  };
  REQUIRE(world.key("a").key.expires_at);
  CHECK(*world.key("a").key.expires_at == date(11));
  CHECK(world.file("prod.json")["valid_until"] == "2026-05-02T00:00:00Z");  // a day ahead
  world.start();
  world.advance(1s);
  REQUIRE(world.key("a").key.expires_at);
  CHECK(*world.key("a").key.expires_at == date(11));
  world.call([](engine::Engine& engine, Instant now) {
    engine.rotate({"prod", {}, "", "api:admin", false}, now);
  });
  world.advance(1min);
  REQUIRE(world.active("prod") == "b");
  // The configuration's own date comes first.
  CHECK(*world.key("b").key.expires_at == parse_rfc3339("2026-05-02T00:00:00Z").value());
  const auto rows = world.store->rotations("prod", 10).value();
  const auto& steps = rows.front().steps;
  CHECK(std::any_of(steps.begin(), steps.end(), [](const auto& step) {
    return step.note == "id-2, expires at 2026-05-12T00:00:00Z";
  }));
  // The last secret is ended: what has no secret does not expire.
  world.advance(90min);
  CHECK_FALSE(world.key("a").secret_loaded);
  CHECK_FALSE(world.key("a").key.expires_at);
}
