// Hands of people, reload and restart.

#include <catch2/catch.hpp>

#include "herd.hpp"

namespace keyherd::test {

namespace {

std::map<std::string, model::KeyHealth> saved(Herd& herd) {
  std::map<std::string, model::KeyHealth> health;
  for (const auto& facts : herd.facts())
    health[facts.id] = herd.health(facts.id);
  return health;
}

}  // namespace

TEST_CASE("paused wins over all evidence, and a resumed key must be proven again") {
  Herd herd = Herd::healthy(3);
  const Change paused = herd.tracker().pause("k1", "admin", herd.now());
  REQUIRE(paused.changes.size() == 1);
  CHECK(paused.changes[0].why == "paused by admin");
  for (const Verdict verdict : {Verdict::ok, Verdict::invalid_key, Verdict::balance_exhausted,
                                Verdict::rate_limited, Verdict::permission_denied}) {
    for (int i = 0; i < 5; ++i) {
      const Change change = herd.probe("k1", verdict);
      CHECK(change.changes.empty());
      CHECK(change.probe_soon.empty());
    }
    CHECK(herd.state("k1") == KeyState::paused);
  }
  CHECK(herd.tracker().pause("k1", "admin", herd.now()).empty());
  const Change resumed = herd.tracker().resume("k1", "admin", herd.now());
  CHECK(herd.state("k1") == KeyState::unknown);
  CHECK(herd.health("k1").auth_strikes == 0);
  CHECK(resumed.probe_soon == std::vector<std::string>{"k1"});
  CHECK(herd.tracker().resume("k1", "admin", herd.now()).empty());
  herd.probe("k1", Verdict::ok);
  CHECK(herd.state("k1") == KeyState::healthy);
}

TEST_CASE("a key that was paused while it cooled down stays paused when that time ends") {
  Herd herd = Herd::healthy(1);
  herd.probe("k1", Verdict::rate_limited);
  herd.tracker().pause("k1", "admin", herd.now());
  herd.wait(1h);
  herd.tick();
  CHECK(herd.state("k1") == KeyState::paused);
}

TEST_CASE("a new secret starts a key anew, unless it is paused") {
  Herd herd = Herd::healthy(2);
  herd.log("k1", Verdict::invalid_key, 3);
  REQUIRE(herd.state("k1") == KeyState::dead);
  const Change change = herd.tracker().forget("k1", "its secret was replaced", herd.now());
  CHECK(herd.state("k1") == KeyState::unknown);
  CHECK(herd.health("k1").why == "its secret was replaced");
  CHECK(change.probe_soon == std::vector<std::string>{"k1"});
  herd.tracker().pause("k2", "admin", herd.now());
  CHECK(herd.tracker().forget("k2", "its secret was replaced", herd.now()).probe_soon.empty());
  CHECK(herd.state("k2") == KeyState::paused);
}

TEST_CASE("evidence and commands for a key that is not there change nothing") {
  Herd herd = Herd::healthy(1);
  CHECK(herd.probe("k9", Verdict::ok).empty());
  CHECK(herd.tracker().pause("k9", "admin", herd.now()).empty());
  CHECK(herd.tracker().resume("k9", "admin", herd.now()).empty());
  CHECK(herd.tracker().forget("k9", "why", herd.now()).empty());
  CHECK(herd.tracker().health("k9") == nullptr);
}

TEST_CASE("a reload keeps the beliefs of keys that stay and tells of new ones") {
  Herd herd = Herd::healthy(3);
  herd.probe("k1", Verdict::invalid_key);
  herd.probe("k2", Verdict::rate_limited, model::ProbeKind::chat, 60s);
  herd.facts().erase(herd.facts().begin() + 2);
  herd.facts().push_back(health::KeyFacts{"new", "p", "new", {}});
  herd.facts()[0].probe.failures_to_dead = 2;
  const Change change = herd.configure();
  REQUIRE(change.health.size() == 1);
  CHECK(change.health[0].key == "new");
  CHECK(herd.state("new") == KeyState::unknown);
  CHECK(herd.state("k2") == KeyState::throttled);
  CHECK(herd.tracker().health("k3") == nullptr);
  herd.wait(60s);
  herd.tick();
  CHECK(herd.state("k2") == KeyState::healthy);
  herd.probe("k1", Verdict::invalid_key);
  CHECK(herd.state("k1") == KeyState::dead);
}

TEST_CASE("when the last key of a provider goes, its incident ends with it") {
  Herd herd = Herd::healthy(1);
  for (int i = 0; i < 3; ++i)
    herd.probe("k1", Verdict::network);
  REQUIRE(herd.incident());
  herd.facts()[0].provider = "other";
  const Change change = herd.configure();
  REQUIRE(change.incidents.size() == 1);
  CHECK_FALSE(change.incidents[0].open);
  CHECK_FALSE(herd.incident());
  herd.tick();
}

TEST_CASE("a restart keeps strikes, cool-downs, pauses and the pace of probes") {
  Herd before = Herd::healthy(4);
  before.probe("k1", Verdict::invalid_key);
  before.wait(20s);
  before.probe("k1", Verdict::invalid_key);
  before.probe("k2", Verdict::rate_limited, model::ProbeKind::chat, 10min);
  before.tracker().pause("k3", "admin", before.now());
  before.probe("k4", Verdict::ok);

  Herd after(4);
  after.wait(2min);
  after.tracker().restore(saved(before), after.now());
  CHECK(after.health("k1").auth_strikes == 2);
  CHECK(after.due("k2") == 10min + 21s - 2min);
  CHECK(after.tracker().next_probe("k2", after.now())->not_before);
  CHECK_FALSE(after.tracker().next_probe("k3", after.now()));
  CHECK(after.state("k3") == KeyState::paused);
  CHECK(after.due("k4") == 5min + 21s - 2min);
  after.probe("k1", Verdict::invalid_key);
  CHECK(after.state("k1") == KeyState::dead);
  after.wait(10min);
  after.tick();
  CHECK(after.state("k2") == KeyState::healthy);
}

TEST_CASE("a cool-down that ended while the agent was down ends at the first tick") {
  Herd before = Herd::healthy(1);
  before.probe("k1", Verdict::rate_limited, model::ProbeKind::chat, 60s);
  Herd after(1);
  after.wait(1h);
  after.tracker().restore(saved(before), after.now());
  after.tick();
  CHECK(after.state("k1") == KeyState::healthy);
}

}  // namespace keyherd::test
