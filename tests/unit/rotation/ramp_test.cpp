// Keys that have just recovered, and pools that must keep some.

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace keyherd;
using namespace keyherd::test;
using namespace std::chrono_literals;
using model::KeyState;
using model::RotationMode;
using model::RotationTrigger;
using model::Strategy;
using rotation::Guard;

namespace {

rotation::Candidate recovered(std::string id, std::chrono::seconds ago, int priority = 1) {
  rotation::Candidate made = key(std::move(id), priority);
  made.recovered = true;
  made.state_since = kNow - ago;
  return made;
}

}  // namespace

TEST_CASE("a recovered key's share grows from a twentieth to all of it over the ramp") {
  model::Pool pool;
  CHECK(share_of(pool, recovered("k", 0s), kNow) == 1);  // no ramp
  pool.ramp = 10min;
  CHECK(share_of(pool, recovered("k", 0s), kNow) == Approx(0.05));
  CHECK(share_of(pool, recovered("k", 5min), kNow) == Approx(0.5));
  CHECK(share_of(pool, recovered("k", 10min), kNow) == 1);
  rotation::Candidate never_bad = recovered("k", 0s);
  never_bad.recovered = false;
  CHECK(share_of(pool, never_bad, kNow) == 1);
  CHECK(share_of(pool, recovered("k", -1h), kNow) == 1);  // the clock was set back
}

TEST_CASE("a rotation that can wait prefers a key that has not just recovered") {
  Herd herd({key("k1"), recovered("k2", 1min, 9), key("k3")}, Strategy::priority);
  CHECK(herd.plan(by_schedule())->to == "k2");
  herd.pool.ramp = 10min;
  CHECK(herd.plan(by_schedule())->to == "k3");
  CHECK(herd.plan(emergency())->to == "k3");
  herd.members[2].state = KeyState::dead;
  CHECK(herd.plan(by_schedule())->to == "k2");
  herd.now = kNow + 9min;
  herd.members[2].state = KeyState::healthy;
  CHECK(herd.plan(by_schedule())->to == "k2");
}

TEST_CASE("a pool returns to a better key once that has ramped up, and says until when it waits") {
  Herd herd({key("k2"), recovered("k1", 4min, 9)}, Strategy::priority);
  model::Rotation away = rotation_to("k2", kNow - 1h);
  away.trigger = RotationTrigger::invalid_key;
  herd.history = {away};
  herd.state.last_rotation = away.id;
  herd.pool.ramp = 10min;
  REQUIRE(herd.wanted());
  const auto held = herd.plan(*herd.wanted());
  REQUIRE_FALSE(held);
  CHECK(held.error().guard == Guard::recovery_wait);
  CHECK(held.error().until == kNow + 6min);
  CHECK(held.error().message ==
        "pool prod: k1 has been healthy again for less than 10m (ramp); the pool returns to it at "
        "2026-05-01T00:06:00Z");
  herd.now = kNow + 6min;
  CHECK(herd.plan(*herd.wanted()));
}

TEST_CASE("no rotation that can wait leaves fewer usable keys than the pool must have") {
  Herd herd({key("k1"), key("k2"), key_that_is(KeyState::dead, "k3")});
  herd.pool.mode = RotationMode::guided;
  herd.pool.min_available = 2;
  const auto held = herd.plan(by_schedule());
  REQUIRE_FALSE(held);
  CHECK(held.error().guard == Guard::min_available);
  CHECK(held.error().message ==
        "pool prod: once k1 is ended 1 usable keys are left, and min_available is 2; mend or add "
        "keys, or run keyherd rotate prod");
  CHECK(herd.plan(emergency()));
  CHECK(herd.plan(by_hand()));
  herd.members[2] = key("k3");
  CHECK(herd.plan(by_schedule()));
  herd.members[2] = key_that_is(KeyState::dead, "k3");
  herd.pool.mode = RotationMode::switch_;  // ends nothing
  CHECK(herd.plan(by_schedule()));
}

TEST_CASE("a new secret counts as the usable key that it will be") {
  Herd herd({key("k1"), key_that_is(KeyState::unknown, "k2"), key("k3")});
  herd.pool.mode = RotationMode::provision;
  herd.pool.min_available = 2;
  herd.members[1].secret_loaded = false;
  herd.members[1].slot = rotation::Candidate::Slot::free;
  const auto plan = herd.plan(by_schedule());
  REQUIRE(plan);
  CHECK(plan->to == "k2");
}
