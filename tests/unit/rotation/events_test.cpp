#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::KeyState;
using model::RotateOn;
using model::RotationTrigger;

namespace {

Herd herd_with_active(rotation::Candidate active) {
  return Herd({std::move(active), key("k2")});
}

}  // namespace

TEST_CASE("a healthy active key is left alone") {
  CHECK_FALSE(herd_with_active(key("k1")).wanted());
}

TEST_CASE("a pool without an active key wants its first") {
  Herd herd({key("k1")});
  herd.state.active.clear();
  const auto request = herd.wanted();
  REQUIRE(request);
  CHECK(request->trigger == RotationTrigger::initial);
  CHECK(request->urgent);
  CHECK(herd.plan(*request)->to == "k1");
}

TEST_CASE("dead and exhausted call for a switch at once, by default the only states that do") {
  struct Case {
    KeyState state;
    model::Verdict verdict;
    RotationTrigger trigger;
  };
  for (const Case& one :
       {Case{KeyState::dead, model::Verdict::invalid_key, RotationTrigger::invalid_key},
        Case{KeyState::exhausted, model::Verdict::quota_exhausted, RotationTrigger::quota},
        Case{KeyState::exhausted, model::Verdict::balance_exhausted, RotationTrigger::balance}}) {
    auto active = key_that_is(one.state, "k1");
    active.verdict = one.verdict;
    const auto request = herd_with_active(active).wanted();
    REQUIRE(request);
    CHECK(request->trigger == one.trigger);
    CHECK(request->urgent);
    CHECK_FALSE(request->by_person);
  }
  CHECK_FALSE(herd_with_active(key_that_is(KeyState::throttled, "k1")).wanted());
  CHECK_FALSE(herd_with_active(key_that_is(KeyState::degraded, "k1")).wanted());
  CHECK_FALSE(herd_with_active(key_that_is(KeyState::unknown, "k1")).wanted());
}

TEST_CASE("rotate_on names the states that call for a switch") {
  for (const auto event :
       {RotateOn::dead, RotateOn::exhausted, RotateOn::throttled, RotateOn::degraded}) {
    for (const auto state :
         {KeyState::dead, KeyState::exhausted, KeyState::throttled, KeyState::degraded}) {
      Herd herd = herd_with_active(key_that_is(state, "k1"));
      herd.pool.rotate_on = {event};
      CAPTURE(model::to_string(event), model::to_string(state));
      CHECK(herd.wanted().has_value() == (model::to_string(event) == model::to_string(state)));
    }
  }
}

TEST_CASE("throttled and degraded wait for min_stay") {
  for (const auto state : {KeyState::throttled, KeyState::degraded}) {
    Herd herd = herd_with_active(key_that_is(state, "k1"));
    herd.pool.rotate_on = {RotateOn::throttled, RotateOn::degraded};
    const auto request = herd.wanted();
    REQUIRE(request);
    CHECK_FALSE(request->urgent);
    herd.state.switched_at = kNow;
    CHECK(herd.plan(*request).error().guard == rotation::Guard::min_stay);
  }
}

TEST_CASE("paused, removed and expired keys are left whatever rotate_on says") {
  Herd paused = herd_with_active(key_that_is(KeyState::paused, "k1"));
  paused.pool.rotate_on.clear();
  CHECK(paused.wanted()->reason == "k1 is paused");

  Herd removed = herd_with_active(key("k1"));
  removed.pool.rotate_on.clear();
  removed.members.erase(removed.members.begin());
  CHECK(removed.wanted()->reason == "k1 is no longer in the pool");
  CHECK(removed.plan(*removed.wanted())->to == "k2");

  auto old = key("k1");
  old.expires_at = kNow;
  Herd expired = herd_with_active(old);
  expired.pool.rotate_on.clear();
  CHECK(expired.wanted()->trigger == RotationTrigger::invalid_key);
  CHECK(expired.wanted()->reason == "k1 expired at 2026-05-01T00:00:00Z");
}

TEST_CASE("a used-up quota calls for a switch before the provider says so") {
  auto active = key("k1");
  active.quotas.push_back(quota(50'000, 50'000));
  auto request = herd_with_active(active).wanted();
  REQUIRE(request);
  CHECK(request->trigger == RotationTrigger::quota);
  CHECK(request->urgent);
  CHECK(request->reason == "k1 has 0 of 50000 tokens left in quota daily");

  active.quotas.front().used = 49'950;
  CHECK_FALSE(herd_with_active(active).wanted());
  Herd aware = herd_with_active(active);
  aware.pool.strategy = model::Strategy::quota_aware;
  CHECK(aware.wanted()->reason == "k1 has 50 of 50000 tokens left in quota daily");
}

TEST_CASE("a used-up minute is a rate limit, not the end of a quota") {
  auto active = key("k1");
  active.quotas.push_back(quota(60, 60, model::QuotaUnit::requests));
  active.quotas.front().window_length = std::chrono::minutes(1);
  Herd herd = herd_with_active(active);
  CHECK_FALSE(herd.wanted());
  herd.pool.rotate_on.push_back(RotateOn::throttled);
  CHECK(herd.wanted()->trigger == RotationTrigger::rate_limited);
}

TEST_CASE("nothing is wanted while the provider has an incident") {
  auto active = key_that_is(KeyState::dead, "k1");
  active.frozen = true;
  CHECK_FALSE(herd_with_active(active).wanted());
}

TEST_CASE("a pool that rotates on incidents leaves for a provider without one, and only then") {
  Herd herd({key("a1"), key("a2"), key("b1")});
  herd.pool.rotate_on.push_back(RotateOn::incident);
  CHECK_FALSE(herd.wanted());
  herd.members[0].frozen = herd.members[1].frozen = true;
  const auto request = herd.wanted();
  REQUIRE(request);
  CHECK(request->trigger == RotationTrigger::endpoint);
  CHECK_FALSE(request->urgent);
  CHECK(request->reason == "the provider of a1 has an incident");
  CHECK(herd.plan(*request)->to == "b1");
  herd.members[2].frozen = true;
  CHECK_FALSE(herd.wanted());
}

namespace {

Herd on_the_spare(RotationTrigger trigger) {
  Herd herd({key("spare", 1), key("main", 3)}, model::Strategy::priority);
  auto last = rotation_to("spare", kNow - std::chrono::hours(1));
  last.trigger = trigger;
  last.from = "main";
  herd.state.last_rotation = last.id;
  herd.history = {last};
  return herd;
}

}  // namespace

TEST_CASE("a primary that an event took away comes back when it is fit again") {
  Herd herd = on_the_spare(RotationTrigger::invalid_key);
  const auto request = herd.wanted();
  REQUIRE(request);
  CHECK(request->trigger == RotationTrigger::recovery);
  CHECK(request->to == "main");
  CHECK_FALSE(request->urgent);
  CHECK(herd.plan(*request)->verify_first);
  herd.members[1].verified = false;
  CHECK_FALSE(herd.wanted());
}

TEST_CASE("automation does not undo what people and schedules chose") {
  CHECK_FALSE(on_the_spare(RotationTrigger::manual).wanted());
  CHECK_FALSE(on_the_spare(RotationTrigger::schedule).wanted());
  CHECK_FALSE(on_the_spare(RotationTrigger::initial).wanted());
}

TEST_CASE("only the priority strategy goes back") {
  Herd herd = on_the_spare(RotationTrigger::invalid_key);
  herd.pool.strategy = model::Strategy::round_robin;
  CHECK_FALSE(herd.wanted());
}
