// Keys that fail together: the provider is to blame, and no key.

#include <algorithm>
#include <catch2/catch.hpp>

#include "herd.hpp"

namespace keyherd::test {

namespace {

int openings(const Change& change) {
  int count = 0;
  for (const auto& incident : change.incidents)
    count += incident.open ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("two keys that get no answer are an incident of the provider, told once") {
  Herd herd = Herd::healthy(2);
  CHECK(herd.probe("k1", Verdict::network).incidents.empty());
  const Change change = herd.probe("k2", Verdict::server_error);
  REQUIRE(change.incidents.size() == 1);
  CHECK(change.incidents[0].open);
  CHECK(change.incidents[0].incident.provider == "p");
  CHECK(change.incidents[0].incident.kind == model::VerdictClass::provider);
  CHECK_FALSE(change.incidents[0].why.empty());
  CHECK(herd.incident());
  for (int i = 0; i < 10; ++i) {
    herd.wait(20s);
    CHECK(herd.probe("k1", Verdict::network).incidents.empty());
    CHECK(herd.probe("k2", Verdict::overloaded).incidents.empty());
  }
  CHECK(herd.count(KeyState::healthy) == 2);
}

TEST_CASE("an incident ends with the first success of any of the provider's keys") {
  Herd herd = Herd::healthy(3);
  herd.probe("k1", Verdict::network);
  herd.probe("k2", Verdict::network);
  REQUIRE(herd.incident());
  herd.wait(20s);
  const Change change = herd.log("k3", Verdict::ok);
  REQUIRE(change.incidents.size() == 1);
  CHECK_FALSE(change.incidents[0].open);
  CHECK(change.incidents[0].why == "key k3 was served again");
  CHECK_FALSE(herd.incident());
  CHECK(change.probe_soon == std::vector<std::string>{"k1", "k2"});
}

TEST_CASE("a success from before the incident does not end it") {
  Herd herd = Herd::healthy(3);
  herd.wait(1min);
  herd.probe("k1", Verdict::network);
  herd.probe("k2", Verdict::network);
  herd.wait(20s);
  herd.log("k3", Verdict::ok, 10, 30s);
  CHECK(herd.incident());
}

TEST_CASE("an answer of any kind ends an outage, even one that condemns the key") {
  Herd herd = Herd::healthy(1);
  for (int i = 0; i < 3; ++i)
    herd.probe("k1", Verdict::network);
  REQUIRE(herd.incident());
  herd.wait(1s);
  herd.probe("k1", Verdict::invalid_key);
  CHECK_FALSE(herd.incident());
  herd.probe("k1", Verdict::invalid_key);
  herd.probe("k1", Verdict::invalid_key);
  CHECK(herd.state("k1") == KeyState::dead);
}

TEST_CASE("the only key of a provider stands for it after n failures in a row") {
  Herd herd = Herd::healthy(1);
  CHECK(herd.probe("k1", Verdict::network).incidents.empty());
  CHECK(herd.probe("k1", Verdict::network).incidents.empty());
  CHECK(openings(herd.probe("k1", Verdict::network)) == 1);
}

TEST_CASE("the only key of a provider that is refused dies: that is no incident") {
  Herd herd = Herd::healthy(1);
  for (int i = 0; i < 3; ++i)
    CHECK(herd.probe("k1", Verdict::invalid_key).incidents.empty());
  CHECK(herd.state("k1") == KeyState::dead);
}

TEST_CASE("one failing key among others that are served is its own affair") {
  Herd herd = Herd::healthy(10);
  for (int i = 0; i < 20; ++i) {
    herd.probe("k1", Verdict::network);
    herd.wait(10s);
    CHECK(herd.probe(key_name(2 + i % 9), Verdict::ok).incidents.empty());
    herd.wait(10s);
  }
  CHECK_FALSE(herd.incident());
}

TEST_CASE("five keys in a row that fail alike are an incident of a herd of any size") {
  Herd herd = Herd::healthy(100);
  for (int i = 1; i <= 4; ++i) {
    CHECK(herd.probe(key_name(i), Verdict::network).incidents.empty());
    herd.wait(3s);
  }
  CHECK(openings(herd.probe("k5", Verdict::network)) == 1);
}

TEST_CASE(
    "keys of one limit group that are throttled together are no incident, of several they are") {
  Herd herd(6);
  for (auto& facts : herd.facts())
    facts.limit_group = facts.id < "k4" ? "first" : facts.id;
  herd.configure();
  for (int i = 1; i <= 3; ++i)
    herd.probe(key_name(i), Verdict::rate_limited);
  CHECK_FALSE(herd.incident());
  CHECK(openings(herd.probe("k4", Verdict::rate_limited)) == 1);
}

TEST_CASE("two keys that are refused at the same time are not condemned") {
  Herd herd = Herd::healthy(2);
  for (int i = 0; i < 20; ++i) {
    herd.probe("k1", Verdict::invalid_key);
    herd.wait(1s);
    herd.probe("k2", Verdict::invalid_key);
    herd.wait(20s);
  }
  CHECK(herd.incident());
  CHECK(herd.count(KeyState::dead) == 0);
}

TEST_CASE("a verdict of moments ago is taken back when the next key is refused too") {
  Herd herd = Herd::healthy(2);
  herd.log("k1", Verdict::invalid_key, 10);
  REQUIRE(herd.state("k1") == KeyState::dead);
  const Change change = herd.log("k2", Verdict::invalid_key, 10);
  CHECK(openings(change) == 1);
  CHECK(herd.count(KeyState::dead) == 0);
  CHECK(herd.state("k1") == KeyState::unknown);
  REQUIRE(change.changes.size() == 1);
  CHECK(change.changes[0].why.find("taken back") != std::string::npos);
}

TEST_CASE("of two refused keys among three the served third shows that they are really bad") {
  Herd herd = Herd::healthy(3);
  for (int i = 0; i < 2; ++i) {
    herd.probe("k1", Verdict::invalid_key);
    herd.probe("k2", Verdict::invalid_key);
    herd.wait(20s);
  }
  REQUIRE(herd.incident());
  // The quiet third key was asked for when the incident began.
  CHECK(herd.due("k3") == 0ns);
  herd.probe("k3", Verdict::ok);
  CHECK_FALSE(herd.incident());
  for (int i = 0; i < 3; ++i) {
    herd.probe("k1", Verdict::invalid_key);
    herd.probe("k2", Verdict::invalid_key);
    herd.wait(20s);
  }
  CHECK_FALSE(herd.incident());
  CHECK(herd.count(KeyState::dead) == 2);
}

TEST_CASE("during an incident nothing bad is concluded of any key") {
  Herd herd = Herd::healthy(4);
  for (int i = 1; i <= 4; ++i)
    herd.probe(key_name(i), Verdict::rate_limited);
  REQUIRE(herd.incident());
  for (int i = 0; i < 5; ++i) {
    herd.probe("k1", Verdict::invalid_key);
    herd.probe("k2", Verdict::balance_exhausted);
    herd.probe("k3", Verdict::permission_denied);
    herd.wait(1s);
  }
  // Only the first was told to slow down before it was seen that all are: the address is to blame.
  CHECK(herd.count(KeyState::throttled) == 1);
  CHECK(herd.count(KeyState::healthy) == 3);
}

TEST_CASE("a limit on the agent's address is one incident, ends by itself, and waits as told") {
  Herd herd = Herd::healthy(20);
  int opened = 0;
  for (int i = 1; i <= 20; ++i) {
    opened +=
        openings(herd.probe(key_name(i), Verdict::rate_limited, model::ProbeKind::models, 30min));
    herd.wait(1s);
  }
  CHECK(opened == 1);
  CHECK(herd.count(KeyState::throttled) < 6);
  for (int i = 1; i <= 20; ++i)
    CHECK(herd.due(key_name(i)) >= 29min);
  herd.wait(30min);
  herd.tick();
  herd.probe("k20", Verdict::ok);
  CHECK_FALSE(herd.incident());
  CHECK(herd.count(KeyState::healthy) == 20);
}

TEST_CASE("the first refusal asks a silent key whether everybody is refused") {
  Herd herd = Herd::healthy(100);
  // Each that is refused as well asks the next one: five probes, and it is known.
  std::string asked = "k1";
  for (int i = 0; i < 4; ++i) {
    const Change change = herd.probe(asked, Verdict::invalid_key);
    REQUIRE(change.probe_soon.size() == 1);
    asked = change.probe_soon[0];
    CHECK(herd.due(asked) == 0ns);
    herd.wait(300ms);
  }
  CHECK(openings(herd.probe(asked, Verdict::invalid_key)) == 1);
  CHECK(herd.count(KeyState::dead) == 0);
}

TEST_CASE("a witness that is served leaves the refused key to its proofs") {
  Herd herd = Herd::healthy(100);
  const Change change = herd.log("k1", Verdict::invalid_key, 10);
  CHECK(herd.state("k1") == KeyState::dead);
  const auto witnesses = std::count_if(change.probe_soon.begin(), change.probe_soon.end(),
                                       [](const std::string& key) { return key != "k1"; });
  CHECK(witnesses == 1);
  herd.wait(300ms);
  CHECK(herd.probe(change.probe_soon.back(), Verdict::ok).empty() == false);
  CHECK(herd.state("k1") == KeyState::dead);
  // Nobody is asked again for a key whose neighbours are served.
  herd.wait(20s);
  CHECK(herd.log("k2", Verdict::ok).probe_soon.empty());
  CHECK(herd.count(KeyState::healthy) == 99);
}

TEST_CASE("condemned by the log, saved by a refused witness") {
  Herd herd = Herd::healthy(100);
  std::vector<std::string> asked = herd.log("k1", Verdict::invalid_key, 10).probe_soon;
  REQUIRE(herd.state("k1") == KeyState::dead);
  for (int i = 0; i < 10 && !herd.incident(); ++i) {
    REQUIRE_FALSE(asked.empty());
    herd.wait(300ms);
    asked = herd.probe(asked.back(), Verdict::invalid_key).probe_soon;
  }
  CHECK(herd.incident());
  CHECK(herd.count(KeyState::dead) == 0);
}

TEST_CASE("an incident of which nothing is heard ends by itself") {
  Herd herd = Herd::healthy(2);
  herd.probe("k1", Verdict::network);
  herd.probe("k2", Verdict::network);
  REQUIRE(herd.incident());
  CHECK(herd.tracker().next_deadline() == herd.now().steady + 10min);
  herd.wait(10min - 1s);
  CHECK(herd.tick().incidents.empty());
  herd.wait(1s);
  CHECK(herd.tick().incidents.size() == 1);
  CHECK_FALSE(herd.incident());
}

TEST_CASE("paused keys have no voice") {
  Herd herd = Herd::healthy(2);
  herd.tracker().pause("k2", "admin", herd.now());
  herd.probe("k2", Verdict::network);
  CHECK(herd.probe("k1", Verdict::network).incidents.empty());
}

TEST_CASE("providers are judged apart") {
  Herd herd(4);
  herd.facts()[2].provider = "q";
  herd.facts()[3].provider = "q";
  herd.configure();
  for (int i = 1; i <= 4; ++i)
    herd.probe(key_name(i), Verdict::ok);
  herd.wait(1s);
  herd.probe("k1", Verdict::network);
  CHECK(herd.probe("k3", Verdict::network).incidents.empty());
  CHECK(openings(herd.probe("k2", Verdict::network)) == 1);
  CHECK_FALSE(herd.tracker().incident("q"));
  CHECK_FALSE(herd.tracker().incident("never configured"));
}

}  // namespace keyherd::test
