#include <catch2/catch.hpp>

#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const std::string kHerd = R"(
[providers.alpha]
type = "deepseek"
base_url = "https://alpha.test"
probe = { every = "5m", jitter = 0, confirm_after = "5s" }

[keys]
k1 = { provider = "alpha", secret = "env:K1" }
k2 = { provider = "alpha", secret = "env:K2" }
k3 = { provider = "alpha", secret = "env:K3" }

[usage_logs.log]
path = "usage.jsonl"

[pools.prod]
keys = ["k1", "k2", "k3"]
publish = [{ file = "prod.json" }]
)";

struct Field {
  explicit Field(const std::string& config = kHerd) : world(config) {
    world.start();
    world.advance(minutes(11));
    REQUIRE(world.active("prod") == "k1");
  }
  Result<model::Drill> start(const std::string& key, std::chrono::nanoseconds lasts = minutes(20)) {
    Result<model::Drill> outcome = fail(ErrorCode::internal, "not asked");
    world.call([&](engine::Engine& engine, Instant now) {
      outcome = engine.drill({"prod", key, lasts, "api:operate"}, now);
    });
    return outcome;
  }
  model::Drill drill() const { return world.pool("prod").drill.value(); }
  // Consumers use what is published.
  void consume(std::chrono::seconds lasts) {
    for (auto left = lasts; left > seconds(0); left -= seconds(1)) {
      world.log_line(world.file("prod.json")["key"], 200, 10);
      world.advance(seconds(1));
    }
  }

  World world;
};

}  // namespace

TEST_CASE("a drill ends in a switch at the next sign of the key, and in the way back") {
  Field field;
  field.consume(seconds(5));
  REQUIRE(field.start("k1"));
  CHECK(field.world.key("k1").in_drill);
  CHECK(field.world.active("prod") == "k1");  // nothing was heard of the key yet
  field.consume(seconds(40));
  const model::Drill drill = field.drill();
  REQUIRE(drill.ended_at);
  CHECK(drill.watched);
  CHECK(drill.detected_at);
  CHECK(drill.switched_at);
  CHECK(drill.published_at);
  CHECK(drill.adopted_at);
  CHECK(model::grade_of(drill) == model::Grade::A);
  CHECK(drill.note.empty());
  CHECK(drill.replaced_by != "k1");
  field.consume(seconds(20));
  CHECK(field.world.active("prod") == "k1");
  CHECK_FALSE(field.world.key("k1").in_drill);
  const auto rotations = field.world.store->rotations("prod", 10).value();
  CHECK(rotations.at(1).trigger == model::RotationTrigger::drill);
  CHECK(rotations.at(1).from == "k1");
  CHECK(rotations.at(0).to == "k1");
}

TEST_CASE("what is really believed of the key never changes in a drill") {
  Field field;
  field.consume(seconds(5));
  REQUIRE(field.start("k1"));
  const auto since = field.world.key("k1").health.since;
  const int available = field.world.pool("prod").available;
  for (int i = 0; i < 60; ++i) {
    field.consume(seconds(1));
    CHECK(field.world.state("k1") == model::KeyState::healthy);
    CHECK(field.world.key("k1").health.since == since);
    CHECK(field.world.pool("prod").available == available);
    CHECK(field.world.snapshot()->providers.front()->up);
  }
}

TEST_CASE("without requests the key's next probe detects it, and nothing is said of adoption") {
  Field field;
  REQUIRE(field.start("k1"));
  field.world.advance(minutes(6));
  const model::Drill drill = field.drill();
  INFO(model::to_text(drill));
  REQUIRE(drill.ended_at);
  CHECK_FALSE(drill.watched);
  CHECK(drill.published_at);
  CHECK_FALSE(drill.adopted_at);
  field.world.advance(minutes(2));
  CHECK(field.world.active("prod") == "k1");
}

TEST_CASE("a pool that does not rotate on dead keys fails its drill, and is left as it was") {
  Field field(kHerd + "rotate_on = [\"exhausted\"]\n");
  field.consume(seconds(5));
  REQUIRE(field.start("k1", minutes(1)));
  field.consume(seconds(70));
  const model::Drill drill = field.drill();
  REQUIRE(drill.ended_at);
  CHECK(model::grade_of(drill) == model::Grade::F);
  CHECK(drill.note == "no other key was published");
  CHECK(field.world.active("prod") == "k1");
}

TEST_CASE("a clock that is set back or ahead in a drill makes it neither longer nor shorter") {
  const auto step = GENERATE(std::chrono::hours(-2), std::chrono::hours(2));
  Field field;
  REQUIRE(field.start("k1", minutes(3)));
  field.world.advance(seconds(10));
  field.world.clock.step_wall(step);
  field.world.advance(minutes(2));
  CHECK_FALSE(field.drill().ended_at);
  CHECK(field.drill().until - field.drill().started_at == minutes(3));
  field.world.advance(minutes(1));
  const model::Drill drill = field.drill();
  INFO(model::to_text(drill));
  REQUIRE(drill.ended_at);
  CHECK(*drill.ended_at - drill.started_at >= minutes(3));
  CHECK(*drill.ended_at - drill.started_at <= minutes(4));
}

TEST_CASE("a clock that is set back while the agent is down makes a drill no longer") {
  Field field;
  REQUIRE(field.start("k1", minutes(3)));
  field.world.advance(seconds(1));
  field.world.clock.step_wall(std::chrono::hours(-2));
  field.world.start();
  field.world.advance(minutes(4));
  CHECK(field.drill().ended_at);
}

TEST_CASE("a drill goes on after a restart, and is over at its time") {
  Field field;
  REQUIRE(field.start("k1", minutes(20)));
  field.world.start();
  field.world.advance(seconds(1));
  CHECK(field.world.key("k1").in_drill);
  CHECK(field.drill().actor == "api:operate");
  field.consume(seconds(60));
  REQUIRE(field.drill().ended_at);
  field.consume(seconds(30));
  CHECK(field.world.active("prod") == "k1");
  // Over while nobody was there.
  REQUIRE(field.start("k1", seconds(10)));
  field.world.clock.advance(minutes(2));
  field.world.start();
  field.world.advance(seconds(5));
  CHECK(field.drill().ended_at);
  CHECK_FALSE(field.world.key("k1").in_drill);
}

TEST_CASE("a restart between the switch and its end restores the key, too") {
  Field field;
  field.consume(seconds(5));
  REQUIRE(field.start("k1"));
  for (int i = 0; i < 60 && field.world.active("prod") == "k1"; ++i)
    field.consume(seconds(1));
  REQUIRE(field.world.active("prod") != "k1");
  field.world.start();
  field.consume(seconds(60));
  CHECK(field.drill().ended_at);
  CHECK(field.world.active("prod") == "k1");
}

TEST_CASE("a drill that would hurt is refused, and says why") {
  Field field;
  const auto refused = [&](const std::string& key) { return field.start(key).error().message; };
  CHECK(
      refused("k2") ==
      "key k2 is not the active one of pool prod (k1 is): that a spare fails moves nobody; rotate "
      "to it first");
  CHECK(field.start("nobody").error().code == ErrorCode::not_found);
  field.world.pause("k2");
  REQUIRE(field.start("k1"));
  CHECK(refused("k1").starts_with("a drill of key k1 in pool prod is under way until "));
  field.world.advance(minutes(25));
  field.world.pause("k3");
  CHECK(refused("k1").starts_with("it would hurt: pool prod: no usable key to switch to"));
  CHECK(field.world.active("prod") == "k1");
}
