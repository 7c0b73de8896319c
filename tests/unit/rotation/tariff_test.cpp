// Prices in the choice of a key: the strategy cheapest, and pools that leave a key while it is
// dear.

#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "rotation/strategies.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::RotateOn;
using model::RotationTrigger;
using model::Strategy;

namespace {

rotation::Candidate priced(std::string id, double usd, bool dear = false, int priority = 1) {
  rotation::Candidate made = key(std::move(id), priority);
  made.price = static_cast<model::NanoUsd>(usd * 1e9);
  made.dear = dear;
  return made;
}

std::string next_of(const Herd& herd, const rotation::Request& request = by_schedule()) {
  const auto plan = herd.plan(request);
  return plan ? plan->to : plan.error().message;
}

}  // namespace

TEST_CASE("cheapest takes the lowest price, and a key without a known one last") {
  CHECK(next_of(Herd({key("k1"), priced("k2", 0.9), priced("k3", 0.4), key("k4")},
                     Strategy::cheapest)) == "k3");
  CHECK(next_of(Herd({priced("k1", 0.1), key("k2"), priced("k3", 7)}, Strategy::cheapest)) == "k3");
  Herd equal({priced("k1", 1), priced("k2", 1), priced("k3", 1, false, 5)}, Strategy::cheapest);
  CHECK(next_of(equal) == "k3");
}

TEST_CASE("a pool leaves a dear key for a cheaper one, and only if it is asked to") {
  Herd herd({priced("k1", 2, true), priced("k2", 1.5), priced("k3", 0.5)}, Strategy::priority);
  CHECK_FALSE(herd.wanted());
  herd.pool.rotate_on.push_back(RotateOn::dear);
  const auto wanted = herd.wanted();
  REQUIRE(wanted);
  CHECK(wanted->trigger == RotationTrigger::tariff);
  CHECK_FALSE(wanted->urgent);
  CHECK(wanted->to == "k2");  // by its strategy, among the cheaper ones
  CHECK(wanted->reason == "a million tokens cost 2 USD with k1 and 1.5 USD with k2 at this hour");
  herd.pool.strategy = Strategy::cheapest;
  CHECK(herd.wanted()->to == "k3");
}

TEST_CASE("a dear key is kept while no other costs less") {
  Herd herd({priced("k1", 2, true), priced("k2", 2, true), priced("k3", 3), key("k4")});
  herd.pool.rotate_on.push_back(RotateOn::dear);
  CHECK_FALSE(herd.wanted());
}

TEST_CASE("a key whose price never changes is not left for a cheaper one by an hour") {
  Herd herd({priced("k1", 2), priced("k2", 1)});
  herd.pool.rotate_on.push_back(RotateOn::dear);
  CHECK_FALSE(herd.wanted());
}

TEST_CASE("the pool returns when the dear hours are over, and min_stay holds both ways back") {
  Herd herd({priced("k2", 1.5), priced("k1", 1, false, 9)}, Strategy::priority);
  herd.pool.rotate_on.push_back(RotateOn::dear);
  CHECK_FALSE(herd.wanted());  // it is cheaper at all hours: that was nobody's reason
  herd.members[1].by_the_hour = true;
  REQUIRE(herd.wanted());
  CHECK(herd.wanted()->to == "k1");
  herd.state.switched_at = kNow - std::chrono::seconds(5);
  const auto plan = herd.plan(*herd.wanted());
  REQUIRE_FALSE(plan);
  CHECK(plan.error().guard == rotation::Guard::min_stay);
}

TEST_CASE("a pool does not go back to a better key while that is dear") {
  Herd herd({priced("k2", 1.5), priced("k1", 2, true, 9)}, Strategy::priority);
  herd.pool.rotate_on.push_back(RotateOn::dear);
  model::Rotation away = rotation_to("k2", kNow - std::chrono::hours(8));
  away.trigger = RotationTrigger::tariff;
  herd.history = {away};
  herd.state.last_rotation = away.id;
  CHECK_FALSE(herd.wanted());
}

TEST_CASE("a key that a person chose is not left for its price") {
  Herd herd({priced("k1", 2, true), priced("k2", 1)});
  herd.pool.rotate_on.push_back(RotateOn::dear);
  REQUIRE(herd.wanted());
  model::Rotation chosen = rotation_to("k1", kNow - std::chrono::hours(1));
  chosen.actor = "api:operate";
  herd.history = {chosen};
  herd.state.last_rotation = chosen.id;
  CHECK_FALSE(herd.wanted());
}

TEST_CASE("where prices matter a dear key is chosen only for want of another") {
  Herd herd({key("k1"), priced("k2", 2, true, 9), priced("k3", 3)}, Strategy::priority);
  CHECK(next_of(herd) == "k2");
  herd.pool.rotate_on.push_back(RotateOn::dear);
  CHECK(next_of(herd) == "k3");
  herd.members[2].state = model::KeyState::dead;
  CHECK(next_of(herd) == "k2");
}
