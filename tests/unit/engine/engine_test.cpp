#include <catch2/catch.hpp>

#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using namespace std::chrono_literals;
using model::KeyState;

namespace {

const std::string kConfig = R"(
[agent]
state = ":memory:"

[providers.p]
type = "deepseek"
probe = { every = "1m", timeout = "5s" }

[keys.k1]
provider = "p"
secret = "env:K1"
priority = 3
quotas = ["daily"]
[keys.k2]
provider = "p"
secret = "env:K2"
priority = 2
[keys.k3]
provider = "p"
secret = "env:K3"
priority = 1

[quotas.daily]
limit = 1000
unit = "tokens"
window = "day"

[pools.prod]
keys = ["k1", "k2", "k3"]
strategy = "priority"
schedule = "0 3 * * *"
publish = [{ file = "prod.json" }]

[usage_logs.log]
path = "usage.jsonl"
)";

}  // namespace

TEST_CASE("keys are proven, the best one is published with its secret, generation 1") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  for (const char* key : {"k1", "k2", "k3"})
    CHECK(world.state(key) == KeyState::healthy);
  CHECK(world.active("prod") == "k1");
  const auto file = world.file("prod.json");
  CHECK(file["key"] == "k1");
  CHECK(file["secret"] == "sk-world-k1");
  CHECK(file["generation"] == 1);
  CHECK(world.files.stat("prod.json")->mode == 0600);
  CHECK(world.published.active()->at("prod").key == "k1");
}

TEST_CASE("a burst of 401 in the log switches the pool without waiting for a probe") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  const auto probes = world.provider.probes;
  for (int i = 0; i < 5; ++i)
    world.log_line("k1", 401);
  world.settle();
  CHECK(world.state("k1") == KeyState::dead);
  CHECK(world.active("prod") == "k2");
  CHECK(world.file("prod.json")["generation"] == 2);
  CHECK(
      world.pool("prod").rotations[static_cast<std::size_t>(model::RotationTrigger::invalid_key)] ==
      1);
  CHECK(world.key("k1").usage_failures[static_cast<std::size_t>(model::UsageFailure::auth)] == 5);
  // At most the probe that follows the switch was made.
  CHECK(world.provider.probes <= probes + 2);
}

TEST_CASE("a revoked key dies by its probes, its pool moves, and the others are untouched") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  world.provider.status["sk-world-k1"] = 401;
  world.advance(5min);
  CHECK(world.state("k1") == KeyState::dead);
  CHECK(world.state("k2") == KeyState::healthy);
  CHECK(world.state("k3") == KeyState::healthy);
  CHECK(world.active("prod") == "k2");
  CHECK_FALSE(world.key("k1").changes.empty());
}

TEST_CASE("an outage condemns nobody, moves nothing, and ends by itself") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  const int outage = GENERATE(500, 503, 401, 429);
  CAPTURE(outage);
  world.provider.outage = outage;
  world.advance(2h);
  if (outage != 429)  // being told to slow down is an answer: the keys wait, the provider is there
    CHECK_FALSE(world.snapshot()->providers[0]->up);
  for (const char* key : {"k1", "k2", "k3"})
    CHECK(world.state(key) != KeyState::dead);
  CHECK(world.active("prod") == "k1");
  CHECK(world.pool("prod").state.generation == 1);
  world.provider.outage = 0;
  world.advance(15min);
  CHECK(world.snapshot()->providers[0]->up);
  for (const char* key : {"k1", "k2", "k3"})
    CHECK(world.state(key) == KeyState::healthy);
}

TEST_CASE("the last usable key stays active") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  for (const char* key : {"k2", "k3"}) {
    world.provider.status[World::secret_of(key)] = 401;
    world.advance(10min);
  }
  CHECK(world.state("k2") == KeyState::dead);
  CHECK(world.active("prod") == "k1");
  CHECK(world.pool("prod").available == 1);
  CHECK_FALSE(world.pool("prod").survives_key_loss);
}

TEST_CASE("usage is summed, quota thresholds are crossed, a full quota moves the pool") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  world.log_line("k1", 200, 860);
  world.settle();
  REQUIRE(world.key("k1").quotas.size() == 1);
  CHECK(world.key("k1").quotas[0].used == 860);
  CHECK(world.key("k1").quotas[0].level == 2);
  CHECK(world.active("prod") == "k1");
  world.log_line("k1", 200, 200);
  world.settle();
  CHECK(world.key("k1").quotas[0].level == 3);
  CHECK(world.active("prod") == "k2");
  world.advance(25h);
  CHECK(world.key("k1").quotas[0].used == 0);
}

TEST_CASE("the schedule fires once at its time and rotates") {
  World world(kConfig);
  world.start();  // 2026-05-01T00:00:00Z
  world.advance(2h + 59min);
  CHECK(world.pool("prod").state.generation == 1);
  world.advance(2min);
  CHECK(world.pool("prod").state.generation == 2);
  CHECK(world.pool("prod").schedule_runs == 1);
  CHECK(world.active("prod") == "k2");
  world.advance(1h);
  CHECK(world.pool("prod").schedule_runs == 1);
}

TEST_CASE("a frozen pool stays where it is, over a restart, until it is unfrozen") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  REQUIRE(world.active("prod") == "k1");
  world.call([](engine::Engine& engine, Instant now) {
    REQUIRE(engine.freeze("prod", {true, std::nullopt, "admin", "migration"}, now));
    CHECK_FALSE(engine.freeze("nowhere", {}, now));
  });
  world.settle();
  world.start();
  REQUIRE(world.pool("prod").freeze);
  CHECK(world.pool("prod").freeze->reason == "migration");
  world.provider.status["sk-world-k1"] = 401;
  world.advance(30min);
  CHECK(world.state("k1") == KeyState::dead);
  CHECK(world.active("prod") == "k1");
  CHECK(world.pool("prod").problem.find("frozen by admin: migration") != std::string::npos);
  world.call([](engine::Engine& engine, Instant now) {
    CHECK(engine.unfreeze("prod", "admin", now)->freeze == std::nullopt);
  });
  world.advance(1s);
  CHECK(world.active("prod") == "k2");
}

TEST_CASE("a restart keeps beliefs, totals and the decision, and publishes it again") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  world.log_line("k1", 200, 100);
  world.settle();
  world.provider.status["sk-world-k2"] = 401;
  world.advance(10min);
  const auto before = world.snapshot();
  world.files.create("prod.json", "gone");
  world.start();
  CHECK(world.state("k2") == KeyState::dead);
  CHECK(world.active("prod") == "k1");
  CHECK(world.file("prod.json")["generation"] == 1);
  CHECK(world.key("k1").usage_by_model == model::find_key(*before, "k1")->usage_by_model);
  CHECK(world.key("k1").quotas[0].used == 100);
  CHECK(world.pool("prod").state.generation == 1);
}

TEST_CASE("while the disk is full nothing counts and nothing is lost") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  world.store_fails = true;
  world.log_line("k1", 200, 100);
  world.advance(1min);
  CHECK(world.key("k1").usage_by_model.empty());
  CHECK_FALSE(world.snapshot()->agent.ready);
  CHECK(world.snapshot()->agent.not_ready_because.find("the disk is full") != std::string::npos);
  world.log_line("k1", 200, 50);
  world.store_fails = false;
  world.advance(1min);
  CHECK(world.snapshot()->agent.ready);
  CHECK(world.key("k1").usage_by_model.at("deepseek-flash").input == 150);
  CHECK(world.key("k1").quotas[0].used == 150);
}

TEST_CASE("a step of the wall clock is noticed and counts nothing twice") {
  World world(kConfig);
  world.start();
  world.advance(3h + 1min);
  const auto generation = world.pool("prod").state.generation;
  world.clock.step_wall(-2h);
  world.advance(90min);
  CHECK(world.snapshot()->agent.clock_steps == 1);
  CHECK(world.pool("prod").state.generation == generation);
  CHECK(world.pool("prod").schedule_runs == 1);
}
