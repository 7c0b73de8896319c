#include "rotation/planner.hpp"

#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "rotation/guards.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::KeyState;
using model::RotationFailure;
using model::RotationState;
using rotation::Guard;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

rotation::Refusal refusal(const Herd& herd, const rotation::Request& request) {
  const auto result = herd.plan(request);
  REQUIRE_FALSE(result.has_value());
  return result.error();
}

std::string target(const Herd& herd, const rotation::Request& request) {
  const auto result = herd.plan(request);
  if (!result)
    return "refused: " + result.error().message;
  return result->to;
}

}  // namespace

TEST_CASE("a scheduled switch goes to the next key and probes it first") {
  const Herd herd({key("k1"), key("k2"), key("k3")});
  const auto plan = herd.plan(by_schedule());
  REQUIRE(plan);
  CHECK(plan->from == "k1");
  CHECK(plan->to == "k2");
  CHECK(plan->verify_first);
  CHECK(plan->trigger == model::RotationTrigger::schedule);
}

TEST_CASE("an emergency goes at once to a key with fresh good evidence") {
  Herd herd({key_that_is(KeyState::dead, "k1"), key("k2"), key("k3")});
  herd.members[1].last_ok_at = kNow - minutes(11);  // more than two intervals of five minutes
  auto plan = herd.plan(emergency());
  REQUIRE(plan);
  CHECK(plan->to == "k3");
  CHECK_FALSE(plan->verify_first);

  herd.members[2].last_ok_at = kNow - minutes(11);
  plan = herd.plan(emergency());
  REQUIRE(plan);
  CHECK(plan->to == "k2");
  CHECK(plan->verify_first);
}

TEST_CASE("an emergency takes a key with errors only when there is no better one") {
  Herd herd({key_that_is(KeyState::dead, "k1"), key("k2"), key("k3")});
  herd.members[1].error_ratio = 0.2;
  CHECK(target(herd, emergency()) == "k3");
  herd.members[2].state = KeyState::dead;
  CHECK(target(herd, emergency()) == "k2");
  CHECK(refusal(herd, by_schedule()).guard == Guard::no_candidate);
}

TEST_CASE("no switch to a key of the same limit group while another group has one") {
  for (const auto& request : {by_schedule(), by_hand(), emergency()}) {
    Herd herd({key_in("a", "a1"), key_in("a", "a2"), key_in("b", "b1")});
    CHECK(target(herd, request) == "b1");
    herd.members[2].state = KeyState::throttled;
    CHECK(target(herd, request) == "a2");
  }
}

TEST_CASE("a round robin over limit groups comes to every key") {
  Herd herd({key_in("a", "a1"), key_in("a", "a2"), key_in("b", "b1"), key_in("b", "b2")});
  herd.history = {rotation_to("a1", kNow - minutes(60))};
  std::vector<std::string> visited;
  for (int turn = 0; turn < 8; ++turn) {
    herd.now += minutes(5);
    const std::string to = target(herd, by_schedule());
    visited.push_back(to);
    herd.history.insert(herd.history.begin(), rotation_to(to, herd.now));
    herd.state.active = to;
    herd.state.switched_at = herd.now;
  }
  CHECK(visited == std::vector<std::string>{"b1", "a2", "b2", "a1", "b1", "a2", "b2", "a1"});
}

TEST_CASE("never to an unverified key, unless a person names it and it is probed first") {
  Herd herd({key_that_is(KeyState::dead, "k1"), key_that_is(KeyState::unknown, "k2")});
  herd.members[1].verified = false;
  CHECK(refusal(herd, emergency()).guard == Guard::no_candidate);
  CHECK(refusal(herd, by_schedule()).guard == Guard::no_candidate);
  CHECK(refusal(herd, by_hand()).guard == Guard::no_candidate);
  const auto named = herd.plan(by_hand("k2"));
  REQUIRE(named);
  CHECK(named->verify_first);
  auto by_agent = emergency();
  by_agent.to = "k2";
  CHECK(refusal(herd, by_agent).guard == Guard::unfit_key);
}

TEST_CASE("never away from the last usable key") {
  Herd herd({key("k1"), key_that_is(KeyState::dead, "k2"), key_that_is(KeyState::exhausted, "k3")});
  herd.members[2].cooldown_until = kNow + minutes(30);
  for (const auto& request : {by_schedule(), by_hand(), emergency()}) {
    const auto refused = refusal(herd, request);
    CHECK(refused.guard == Guard::last_usable_key);
    CHECK(refused.failure == RotationFailure::no_candidate);
    CHECK(refused.until == kNow + minutes(30));
    CHECK(
        refused.message ==
        "pool prod: k1 is the last usable key and stays active: k2 is dead, k3 is exhausted until "
        "2026-05-01T00:30:00Z");
  }
}

TEST_CASE("a pool without a usable key keeps the one it has and says so") {
  Herd herd({key_that_is(KeyState::dead, "k1"), key_that_is(KeyState::paused, "k2")});
  const auto refused = refusal(herd, emergency());
  CHECK(refused.guard == Guard::no_candidate);
  CHECK(refused.message == "pool prod: no usable key to switch to: k2 is paused");
  CHECK(refusal(Herd({key_that_is(KeyState::dead, "k1")}), emergency()).message ==
        "pool prod: no usable key to switch to: it has no other key");
}

TEST_CASE("a long list of reasons is cut") {
  Herd herd({key_that_is(KeyState::dead, "k0")});
  for (int i = 1; i <= 9; ++i)
    herd.members.push_back(key_that_is(KeyState::dead, "k" + std::to_string(i)));
  CHECK(refusal(herd, emergency()).message ==
        "pool prod: no usable key to switch to: k1 is dead, k2 is dead, k3 is dead, k4 is dead, k5 "
        "is dead, and 4 more");
}

TEST_CASE("keys that are still being proven are no failure of a start") {
  Herd herd({key_that_is(KeyState::unknown, "k1"), key_that_is(KeyState::unknown, "k2")});
  herd.state.active.clear();
  const auto request = herd.wanted();
  REQUIRE(request);
  CHECK_FALSE(refusal(herd, *request).failure);
  herd.members[0].state = KeyState::dead;
  herd.members[1].state = KeyState::dead;
  CHECK(refusal(herd, *request).failure == RotationFailure::no_candidate);
}

TEST_CASE("a named key is refused with the reason") {
  Herd herd({key("k1"), key_that_is(KeyState::dead, "k2"), key("k3")});
  CHECK(refusal(herd, by_hand("k2")).message == "pool prod: k2 is dead");
  CHECK(refusal(herd, by_hand("k1")).message == "pool prod: k1 is the active key already");
  CHECK(refusal(herd, by_hand("k9")).message == "pool prod has no key k9; it has: k1, k2, k3");
  CHECK(refusal(herd, by_hand("k2")).guard == Guard::unfit_key);
  CHECK(refusal(herd, by_hand("k1")).guard == Guard::already_active);
  CHECK(refusal(herd, by_hand("k9")).guard == Guard::unknown_key);
  CHECK(target(herd, by_hand("k3")) == "k3");
}

TEST_CASE("one rotation of a pool at a time") {
  Herd herd({key("k1"), key("k2"), key("k3")});
  herd.history = {rotation_to("k2", kNow, RotationState::planned)};
  for (const auto& request : {by_schedule(), by_hand(), by_hand("k3"), emergency()}) {
    const auto refused = refusal(herd, request);
    CHECK(refused.guard == Guard::conflict);
    CHECK_FALSE(refused.failure);
    CHECK(refused.message ==
          "pool prod: rotation r-k2 to k2 is in progress (planned); try again when it has ended");
  }
}

TEST_CASE("an emergency overtakes a rotation that only waits for its hooks") {
  Herd herd({key_that_is(KeyState::dead, "k1"), key("k2")});
  herd.history = {rotation_to("k1", kNow, RotationState::published)};
  const auto plan = herd.plan(emergency());
  REQUIRE(plan);
  CHECK(plan->supersedes == "r-k1");
  CHECK(refusal(herd, by_hand()).guard == Guard::conflict);
}

TEST_CASE("min_stay holds automatic switches back, not emergencies and not people") {
  Herd herd({key("k1"), key("k2")});
  herd.state.switched_at = kNow - seconds(59);
  const auto refused = refusal(herd, by_schedule());
  CHECK(refused.guard == Guard::min_stay);
  CHECK(refused.until == kNow + seconds(1));
  CHECK(refused.message ==
        "pool prod: k1 became active less than 1m ago (min_stay); the next automatic switch is "
        "allowed at 2026-05-01T00:00:01Z");
  CHECK(target(herd, emergency()) == "k2");
  CHECK(target(herd, by_hand()) == "k2");
  herd.now += seconds(1);
  CHECK(target(herd, by_schedule()) == "k2");
}

TEST_CASE("a clock that was set back does not hold switches for ever") {
  Herd herd({key("k1"), key("k2")});
  herd.state.switched_at = kNow + std::chrono::hours(24 * 365);
  herd.history = {rotation_to("k2", herd.state.switched_at, RotationState::rolled_back)};
  CHECK(target(herd, by_schedule()) == "k2");
}

TEST_CASE("a provider's incident freezes automation and leaves people their choice") {
  Herd herd({key("k1"), key("k2")});
  herd.members[0].frozen = true;
  CHECK(refusal(herd, by_schedule()).guard == Guard::incident);
  CHECK(refusal(herd, emergency()).message ==
        "pool prod: the provider of k1 has an incident, so nothing is switched until it is over");
  CHECK(target(herd, by_hand()) == "k2");
  herd.members[0].state = KeyState::paused;
  CHECK(target(herd, emergency()) == "k2");
  herd.members[1].frozen = true;
  CHECK(refusal(herd, by_hand("k2")).message ==
        "pool prod: k2 belongs to a provider that has an incident");
}

TEST_CASE("after a failed rotation the next automatic one waits, longer each time") {
  Herd herd({key_that_is(KeyState::dead, "k1"), key("k2")});
  herd.history = {rotation_to("k2", kNow - seconds(4), RotationState::rolled_back)};
  auto refused = refusal(herd, emergency());
  CHECK(refused.guard == Guard::back_off);
  CHECK(refused.until == kNow + seconds(1));
  CHECK(refused.message ==
        "pool prod: rotation r-k2 failed; the next attempt is due at 2026-05-01T00:00:01Z");
  CHECK(target(herd, by_hand()) == "k2");

  const std::vector<int> waits{5, 10, 20, 40, 60, 60, 60};
  herd.history.clear();
  for (const int wait : waits) {
    herd.history.push_back(rotation_to("k2", kNow, RotationState::rolled_back));
    CHECK(refusal(herd, emergency()).until == kNow + seconds(wait));
  }
}

TEST_CASE("a key that was just not proven is set aside for others, and alone waits its time") {
  Herd herd({key_that_is(KeyState::dead, "k1"), key("k2"), key("k3")}, model::Strategy::priority);
  herd.history = {rotation_to("k2", kNow - seconds(4), RotationState::refused)};
  CHECK(target(herd, emergency()) == "k3");
  CHECK(target(herd, by_schedule()) == "k3");
  CHECK(target(herd, by_hand("k2")) == "k2");
  // In an emergency a degraded key comes before one that was just not proven.
  herd.members[2].state = KeyState::degraded;
  CHECK(target(herd, emergency()) == "k3");
  herd.members[2].state = KeyState::dead;
  const auto refused = refusal(herd, emergency());
  CHECK(refused.guard == Guard::back_off);
  CHECK(refused.until == kNow + seconds(1));
  CHECK(refused.message ==
        "pool prod: k2 could not be proven a moment ago; the next attempt is due at "
        "2026-05-01T00:00:01Z");
  CHECK(target(herd, by_hand()) == "k2");
  rotation::Request back = by_schedule();
  back.trigger = model::RotationTrigger::recovery;
  back.to = "k2";
  CHECK(refusal(herd, back).guard == Guard::back_off);

  const std::vector<int> waits{5, 10, 20, 40, 60, 60, 60};
  herd.history.clear();
  for (const int wait : waits) {
    herd.history.insert(herd.history.begin(), rotation_to("k2", kNow, RotationState::refused));
    CHECK(refusal(herd, emergency()).until == kNow + seconds(wait));
  }
  herd.history.insert(herd.history.begin(), rotation_to("k2", kNow));
  CHECK(target(herd, emergency()) == "k2");
  // A clock that was set back holds nothing back.
  herd.history = {rotation_to("k2", kNow + minutes(9), RotationState::refused)};
  CHECK(target(herd, emergency()) == "k2");
}

TEST_CASE("five failures in a row open the breaker until a success") {
  Herd herd({key("k1"), key("k2")});
  for (int i = 0; i < rotation::kBreakerFailures; ++i)
    herd.history.push_back(
        rotation_to("k2", kNow - minutes(10 * i + 10), RotationState::rolled_back));
  // A refused one tried nothing: it neither counts nor heals.
  herd.history.insert(herd.history.begin(),
                      rotation_to("k2", kNow - minutes(5), RotationState::refused));
  const auto refused = refusal(herd, by_schedule());
  CHECK(refused.guard == Guard::breaker);
  CHECK(refused.message ==
        "pool prod: the last 5 rotations failed, so automatic ones stop; mend the cause (keyherd "
        "history prod) and run keyherd rotate prod");
  CHECK(target(herd, by_hand()) == "k2");
  CHECK(target(herd, emergency()) == "k2");
  herd.history.insert(herd.history.begin(), rotation_to("k2", kNow - minutes(4)));
  CHECK(target(herd, by_schedule()) == "k2");
}

TEST_CASE("a schedule that fires every minute over 100 keys is capped by the hour") {
  std::vector<rotation::Candidate> keys;
  for (int i = 0; i < 100; ++i)
    keys.push_back(key("k" + std::to_string(i)));
  Herd herd(std::move(keys));
  int switches = 0;
  int capped = 0;
  for (int minute = 0; minute < 180; ++minute) {
    herd.now += minutes(1);
    for (auto& member : herd.members)
      member.last_ok_at = herd.now;
    const auto plan = herd.plan(by_schedule());
    if (!plan) {
      CHECK(plan.error().guard == Guard::budget);
      ++capped;
      continue;
    }
    ++switches;
    herd.history.insert(herd.history.begin(), rotation_to(plan->to, herd.now));
    herd.state.active = plan->to;
    herd.state.switched_at = herd.now;
  }
  CHECK(switches == 3 * herd.pool.rotations_per_hour);
  CHECK(capped == 180 - switches);
  herd.members[0].state = KeyState::healthy;
  CHECK(herd.plan(emergency()).has_value());
}

TEST_CASE("a pool may allow fewer automatic switches an hour") {
  Herd herd({key("k1"), key("k2")});
  herd.pool.rotations_per_hour = 2;
  herd.history = {rotation_to("k1", herd.now - minutes(10)),
                  rotation_to("k2", herd.now - minutes(20))};
  const auto plan = herd.plan(by_schedule());
  REQUIRE_FALSE(plan);
  CHECK(plan.error().guard == Guard::budget);
  CHECK(plan.error().until == herd.now + minutes(40));
}

TEST_CASE("a freeze by hand holds back everything but people") {
  Herd herd({key("k1"), key("k2")});
  herd.freeze = model::Freeze{true, herd.now + minutes(30), "admin", "migration"};
  for (const auto& request : {by_schedule(), emergency()}) {
    const auto plan = herd.plan(request);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().guard == Guard::frozen);
    CHECK(plan.error().until == herd.freeze->until);
    CHECK(plan.error().message ==
          "pool prod: frozen by admin until 2026-05-01T00:30:00Z: migration; keyherd unfreeze prod "
          "ends it");
  }
  CHECK(herd.plan(by_hand()).has_value());
}

TEST_CASE("a freeze window holds back what can wait, not an emergency") {
  Herd herd({key("k1"), key("k2")});
  herd.freeze = model::Freeze{false, herd.now + minutes(30), "", ""};
  const auto plan = herd.plan(by_schedule());
  REQUIRE_FALSE(plan);
  CHECK(plan.error().guard == Guard::frozen);
  CHECK(herd.plan(emergency()).has_value());
  CHECK(herd.plan(by_hand()).has_value());
}

TEST_CASE("a pool returns to a better key only when that has been healthy for a while") {
  Herd herd({key("spare", 1), key("main", 3)}, model::Strategy::priority);
  herd.pool.recovery_wait = minutes(10);
  herd.history = {rotation_to("spare", herd.now - minutes(60))};
  herd.history.front().trigger = model::RotationTrigger::invalid_key;
  herd.state.last_rotation = herd.history.front().id;
  herd.members[1].state_since = herd.now - minutes(4);
  const auto request = herd.wanted();
  REQUIRE(request);
  const auto plan = herd.plan(*request);
  REQUIRE_FALSE(plan);
  CHECK(plan.error().guard == Guard::recovery_wait);
  CHECK(plan.error().until == herd.now + minutes(6));
  herd.now += minutes(6);
  CHECK(herd.plan(*herd.wanted()).value().to == "main");
}

TEST_CASE("a dry run shows the steps in their order") {
  Herd herd({key("k1"), key("k2")});
  herd.pool.publish = {model::PublishExec{{"/usr/local/bin/reload-app"}},
                       model::PublishFile{"/run/keyherd/prod.json"}};
  const auto plan = herd.plan(by_hand());
  REQUIRE(plan);
  CHECK(rotation::describe(*plan, herd.pool) ==
        std::vector<std::string>{"probe k2, and go on only if the answer is ok",
                                 "write k2 to file:/run/keyherd/prod.json",
                                 "make k2 the active key in place of k1",
                                 "call exec:/usr/local/bin/reload-app",
                                 "probe k2 again, and go back to k1 if it does not work"});
}

namespace {

rotation::Candidate slot(std::string id, bool has_secret = false) {
  rotation::Candidate made = key(std::move(id));
  made.slot = rotation::Candidate::Slot::free;
  made.secret_loaded = has_secret;
  if (!has_secret)
    made.state = KeyState::unknown;
  return made;
}

Herd issuing(std::vector<rotation::Candidate> members) {
  Herd herd(std::move(members));
  herd.pool.mode = model::RotationMode::provision;
  herd.pool.issuer = "office";
  return herd;
}

}  // namespace

TEST_CASE("where an issuer makes secrets, a schedule and a person get a new one") {
  const Herd herd = issuing({key("k1"), slot("k2", true), slot("k3")});
  for (const auto& request : {by_schedule(), by_hand()}) {
    const auto plan = herd.plan(request);
    REQUIRE(plan);
    CHECK(plan->mint);
    CHECK(plan->to == "k3");  // the empty one first: a spare that works is kept
  }
  const auto steps = rotation::describe(*herd.plan(by_hand()), herd.pool);
  CHECK(steps.front() ==
        "have issuer office make a new secret for k3, seal it, and probe it until it is proven");
  CHECK(steps.back().find("end k1 at its provider, not before 1h") == 0);
}

TEST_CASE("an emergency takes a spare that works, and has one made only when there is none") {
  const auto with_spare = issuing({key("k1"), slot("k2", true), slot("k3")}).plan(emergency());
  REQUIRE(with_spare);
  CHECK_FALSE(with_spare->mint);
  CHECK(with_spare->to == "k2");
  const auto without = issuing({key("k1"), slot("k2")}).plan(emergency());
  REQUIRE(without);
  CHECK(without->mint);
  CHECK(without->verify_first);
}

TEST_CASE("a key that was just not proven may have a new secret made for it") {
  Herd herd = issuing({key("k1"), slot("k2", true)});
  herd.members[1].state = KeyState::dead;
  herd.history = {rotation_to("k2", kNow, RotationState::refused)};
  const auto plan = herd.plan(emergency());
  REQUIRE(plan);
  CHECK(plan->mint);
}

TEST_CASE("a person may name a spare; an empty key that is named gets a secret") {
  const Herd herd = issuing({key("k1"), slot("k2", true), slot("k3")});
  CHECK_FALSE(herd.plan(by_hand("k2"))->mint);
  CHECK(herd.plan(by_hand("k3"))->mint);
}

TEST_CASE("without a free key nothing is made, and the reason is said") {
  Herd herd = issuing({key("k1"), slot("k2")});
  herd.members[1].slot = rotation::Candidate::Slot::busy;
  herd.members[1].slot_note = "is still being retired";
  const auto plan = herd.plan(by_hand());
  REQUIRE_FALSE(plan);
  CHECK(plan.error().guard == rotation::Guard::no_slot);
  CHECK(plan.error().message ==
        "pool prod: no key is free for a new secret: k2 is still being retired");
}

TEST_CASE("a rotation that is on its way to a new secret is not begun anew") {
  Herd herd = issuing({key("k1"), slot("k2"), slot("k3", true)});
  model::Rotation minting = rotation_to("k2", herd.now, model::RotationState::minted);
  minting.credential = "keyherd-r";
  herd.history = {minting};
  CHECK(herd.plan(by_hand()).error().guard == rotation::Guard::conflict);
  // A spare that works is taken all the same.
  const auto saved = herd.plan(emergency());
  REQUIRE(saved);
  CHECK(saved->to == "k3");
  CHECK(saved->supersedes == minting.id);
  herd.members[2].state = KeyState::dead;
  herd.members[2].slot = rotation::Candidate::Slot::none;
  CHECK(herd.plan(emergency()).error().guard == rotation::Guard::conflict);
}

TEST_CASE("a rotation that only retires the last key holds nobody up") {
  Herd herd({key("k1"), key("k2")});
  herd.history = {
      rotation_to("k1", herd.now - std::chrono::hours(1), model::RotationState::retiring)};
  CHECK(herd.plan(by_hand()).has_value());
}

TEST_CASE("a decision is due again at half its validity") {
  Herd herd({key("k1")});
  herd.pool.valid_for = std::chrono::hours(24);
  herd.state.decided_at = kNow;
  CHECK_FALSE(rotation::refresh_due(herd.pool, herd.state, kNow + std::chrono::hours(11)));
  CHECK(rotation::refresh_due(herd.pool, herd.state, kNow + std::chrono::hours(12)));
  herd.state.active.clear();
  CHECK_FALSE(rotation::refresh_due(herd.pool, herd.state, kNow + std::chrono::hours(12)));
}
