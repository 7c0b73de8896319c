// From evidence to the state of one key, when its provider is well.

#include <catch2/catch.hpp>

#include "herd.hpp"

namespace keyherd::test {

using model::ProbeKind;

TEST_CASE("one success proves an unknown key") {
  Herd herd(1);
  CHECK(herd.state("k1") == KeyState::unknown);
  const Change change = herd.probe("k1", Verdict::ok);
  CHECK(herd.state("k1") == KeyState::healthy);
  REQUIRE(change.changes.size() == 1);
  CHECK(change.changes[0].from == KeyState::unknown);
  CHECK(change.changes[0].to == KeyState::healthy);
  CHECK(change.changes[0].why.find("probe") != std::string::npos);
  REQUIRE(change.health.size() == 1);
  CHECK(change.health[0].last_success_at == herd.now().wall);
  CHECK(herd.probe("k1", Verdict::ok).changes.empty());
}

TEST_CASE("a key dies of the n-th refusal in a row, not before, and says why") {
  Herd herd = Herd::healthy(1);
  for (int strike = 1; strike <= 2; ++strike) {
    CHECK(herd.probe("k1", Verdict::invalid_key).changes.empty());
    CHECK(herd.state("k1") == KeyState::healthy);
    CHECK(herd.health("k1").auth_strikes == strike);
    herd.wait(20s);
  }
  const Change change = herd.probe("k1", Verdict::invalid_key);
  CHECK(herd.state("k1") == KeyState::dead);
  REQUIRE(change.changes.size() == 1);
  CHECK(change.changes[0].why == "refused 3 times in a row as invalid_key (a probe)");
  CHECK(herd.health("k1").why == change.changes[0].why);
}

TEST_CASE("the number of refusals and of successes is the provider's setting") {
  Herd herd(1);
  herd.facts()[0].probe.failures_to_dead = 1;
  herd.facts()[0].probe.successes_to_healthy = 3;
  herd.configure();
  herd.probe("k1", Verdict::disabled_key);
  REQUIRE(herd.state("k1") == KeyState::dead);
  herd.probe("k1", Verdict::ok);
  herd.probe("k1", Verdict::ok);
  CHECK(herd.state("k1") == KeyState::dead);
  herd.probe("k1", Verdict::ok);
  CHECK(herd.state("k1") == KeyState::healthy);
}

TEST_CASE("any success forgives the strikes") {
  Herd herd = Herd::healthy(1);
  const bool by_log = GENERATE(true, false);
  for (int round = 0; round < 20; ++round) {
    herd.probe("k1", Verdict::invalid_key);
    herd.wait(20s);
    herd.probe("k1", Verdict::disabled_key);
    herd.wait(20s);
    by_log ? herd.log("k1", Verdict::ok) : herd.probe("k1", Verdict::ok);
    CHECK(herd.health("k1").auth_strikes == 0);
    herd.wait(20s);
  }
  CHECK(herd.state("k1") == KeyState::healthy);
}

TEST_CASE("what says nothing about the key between two refusals does not forgive them") {
  Herd herd = Herd::healthy(2);
  herd.probe("k1", Verdict::invalid_key);
  herd.wait(1s);
  herd.probe("k1", Verdict::network);
  herd.wait(1s);
  herd.probe("k1", Verdict::invalid_key);
  herd.wait(1s);
  herd.probe("k1", Verdict::invalid_key);
  CHECK(herd.state("k1") == KeyState::dead);
}

TEST_CASE("a burst of refusals in the log is proof without waiting for a probe") {
  Herd herd = Herd::healthy(3);
  const Change change = herd.log("k1", Verdict::invalid_key, 3);
  CHECK(herd.state("k1") == KeyState::dead);
  REQUIRE(change.changes.size() == 1);
  CHECK(change.changes[0].why.find("usage log") != std::string::npos);
}

TEST_CASE("a few refused lines ask for a probe at once, and with it condemn") {
  Herd herd = Herd::healthy(3);
  herd.wait(1min);
  const Change change = herd.log("k1", Verdict::invalid_key, 2);
  CHECK(change.changes.empty());
  // The key itself, and one that can tell whether everybody is refused.
  CHECK(change.probe_soon == std::vector<std::string>{"k1", "k3"});
  CHECK(herd.due("k1") == 0ns);
  herd.probe("k1", Verdict::invalid_key);
  CHECK(herd.state("k1") == KeyState::dead);
}

TEST_CASE("a burst in a batch that also brought successes leaves the last proof to a probe") {
  Herd herd = Herd::healthy(3);
  herd.wait(1min);
  herd.log("k1", Verdict::ok, 1, 1s);
  const Change change = herd.log("k1", Verdict::invalid_key, 50);
  CHECK(herd.state("k1") == KeyState::healthy);
  CHECK(herd.health("k1").auth_strikes == 2);
  CHECK(change.probe_soon.front() == "k1");
  herd.wait(100ms);
  herd.log("k1", Verdict::invalid_key, 1);
  CHECK(herd.state("k1") == KeyState::dead);
}

TEST_CASE("consumers' reports bring a key to the brink, a probe decides") {
  Herd herd = Herd::healthy(1);
  herd.wait(1min);
  Change change;
  for (int i = 0; i < 10; ++i)
    change = herd.report("k1", Verdict::invalid_key);
  CHECK(herd.state("k1") == KeyState::healthy);
  CHECK(herd.due("k1") == 0ns);
  herd.probe("k1", Verdict::invalid_key);
  CHECK(herd.state("k1") == KeyState::dead);
}

TEST_CASE("log lines that are old, or older than a success, change nothing") {
  Herd herd = Herd::healthy(1);
  CHECK(herd.log("k1", Verdict::invalid_key, 100, 11min).empty());
  CHECK(herd.log("k1", Verdict::invalid_key, 100, 5s).empty());
  CHECK(herd.health("k1").auth_strikes == 0);
  herd.probe("k1", Verdict::invalid_key);
  CHECK(herd.log("k1", Verdict::ok, 100, 2s).empty());
  CHECK(herd.health("k1").auth_strikes == 1);
}

TEST_CASE("a refusal of the very second or millisecond of a success is news: logs cut times off") {
  struct Case {
    std::chrono::nanoseconds success;  // after a whole second; the line is read 900 ms later
    std::chrono::nanoseconds line;     // the time that it bears, after that same second
    bool news;
  };
  for (const Case& one :
       {Case{700ms, 0ms, true}, Case{700ms, -1s, false}, Case{700'090us, 700ms, true},
        Case{700'090us, 699ms, false}, Case{700ms, 701ms, true}}) {
    CAPTURE(one.success.count(), one.line.count());
    Herd herd(2);
    REQUIRE(herd.now().wall == std::chrono::floor<std::chrono::seconds>(herd.now().wall));
    herd.wait(one.success);
    herd.probe("k1", Verdict::ok);
    herd.wait(900ms);
    herd.log("k1", Verdict::invalid_key, 3, one.success + 900ms - one.line);
    CHECK(herd.state("k1") == (one.news ? KeyState::dead : KeyState::healthy));
  }
}

TEST_CASE("a probe shows what held when it was sent, not when it was answered") {
  Herd herd(2);
  herd.wait(10s);
  model::Evidence slow;
  slow.key = "k1";
  slow.verdict = Verdict::ok;
  slow.at = herd.now().wall;
  slow.latency = 8s;
  herd.tracker().observe(slow, herd.now());
  CHECK(herd.health("k1").last_success_at == herd.now().wall - 8s);
  CHECK(herd.log("k1", Verdict::invalid_key, 3, 9s).empty());
  herd.wait(1s);
  herd.log("k1", Verdict::invalid_key, 3, 6s);
  CHECK(herd.state("k1") == KeyState::dead);
}

TEST_CASE("lines dated in the future count as of now") {
  Herd herd = Herd::healthy(2);
  herd.log("k1", Verdict::invalid_key, 3, -1h);
  CHECK(herd.state("k1") == KeyState::dead);
}

TEST_CASE("a success dated in the future outdates no refusal") {
  Herd herd = Herd::healthy(2);
  herd.log("k1", Verdict::ok, 1, -1h);
  herd.wait(1s);
  herd.log("k1", Verdict::invalid_key, 3);
  CHECK(herd.state("k1") == KeyState::dead);
}

TEST_CASE("after the clock was set back a refusal is news though a success bears a later time") {
  Herd herd = Herd::healthy(2);
  herd.wait(1min);
  herd.log("k1", Verdict::ok, 1);
  herd.clock().step_wall(-1h);
  herd.wait(1s);
  herd.log("k1", Verdict::invalid_key, 3);
  CHECK(herd.state("k1") == KeyState::dead);
  CHECK(herd.health("k1").last_success_at > herd.clock().now().wall);
  herd.probe("k1", Verdict::ok);
  CHECK(herd.health("k1").last_success_at == herd.clock().now().wall);
}

TEST_CASE("a dead key lives again after k successful probes in a row, not by the log") {
  Herd herd = Herd::healthy(2);
  herd.log("k1", Verdict::invalid_key, 3);
  REQUIRE(herd.state("k1") == KeyState::dead);
  herd.wait(1min);
  for (int i = 0; i < 5; ++i) {
    const Change change = herd.log("k1", Verdict::ok, 10);
    CHECK(change.probe_soon == std::vector<std::string>{"k1"});
    herd.wait(1s);
  }
  CHECK(herd.state("k1") == KeyState::dead);
  herd.probe("k1", Verdict::ok);
  herd.wait(20s);
  herd.probe("k1", Verdict::invalid_key);
  herd.wait(20s);
  herd.probe("k1", Verdict::ok);
  CHECK(herd.state("k1") == KeyState::dead);
  herd.wait(20s);
  herd.probe("k1", Verdict::ok);
  CHECK(herd.state("k1") == KeyState::healthy);
}

TEST_CASE("what passes does not overwrite that a key is dead") {
  Herd herd = Herd::healthy(5);
  herd.log("k1", Verdict::invalid_key, 3);
  for (const Verdict verdict : {Verdict::rate_limited, Verdict::overloaded, Verdict::network,
                                Verdict::permission_denied, Verdict::balance_exhausted}) {
    herd.wait(1min);
    herd.probe("k2", Verdict::ok);
    herd.probe("k1", verdict);
    CHECK(herd.state("k1") == KeyState::dead);
  }
}

TEST_CASE("failures of the provider or the network never change a key's state") {
  Herd herd = Herd::healthy(1);
  const auto verdict = GENERATE(Verdict::network, Verdict::server_error, Verdict::overloaded,
                                Verdict::upstream_auth);
  for (int i = 0; i < 50; ++i) {
    CHECK(herd.probe("k1", verdict).changes.empty());
    CHECK(herd.log("k1", verdict, 100).changes.empty());
    herd.wait(1min);
  }
  CHECK(herd.state("k1") == KeyState::healthy);
  CHECK(herd.health("k1").consecutive_failures == 50);
  CHECK(herd.health("k1").auth_strikes == 0);
}

TEST_CASE("a wrong probe leaves the state and shows in the verdict") {
  Herd herd = Herd::healthy(1);
  const auto verdict =
      GENERATE(Verdict::model_missing, Verdict::bad_request, Verdict::region_denied);
  CHECK(herd.probe("k1", verdict).changes.empty());
  CHECK(herd.state("k1") == KeyState::healthy);
  CHECK(herd.health("k1").verdict == verdict);
}

TEST_CASE("missing permissions degrade, without strikes") {
  Herd herd = Herd::healthy(1);
  herd.probe("k1", Verdict::permission_denied, ProbeKind::chat);
  CHECK(herd.state("k1") == KeyState::degraded);
  CHECK(herd.health("k1").auth_strikes == 0);
  // A list of models does not show that chat is permitted again.
  for (int i = 0; i < 5; ++i)
    herd.probe("k1", Verdict::ok, ProbeKind::models);
  CHECK(herd.state("k1") == KeyState::degraded);
  herd.probe("k1", Verdict::ok, ProbeKind::chat);
  CHECK(herd.state("k1") == KeyState::degraded);
  herd.log("k1", Verdict::ok);
  CHECK(herd.state("k1") == KeyState::healthy);
}

TEST_CASE("some denied lines among many served ones are the client's affair") {
  Herd herd = Herd::healthy(1);
  const auto verdict =
      GENERATE(Verdict::permission_denied, Verdict::rate_limited, Verdict::balance_exhausted);
  herd.wait(1min);
  herd.log("k1", Verdict::ok, 100);
  herd.log("k1", verdict, 5);
  CHECK(herd.state("k1") == KeyState::healthy);
  herd.wait(1s);
  herd.log("k1", Verdict::ok, 2);
  herd.log("k1", verdict, 5);
  CHECK(herd.state("k1") != KeyState::healthy);
}

TEST_CASE("an exhausted key recovers when it is shown to spend, not when it is merely known") {
  Herd herd = Herd::healthy(1);
  herd.probe("k1", Verdict::balance_exhausted, ProbeKind::chat);
  REQUIRE(herd.state("k1") == KeyState::exhausted);
  herd.probe("k1", Verdict::ok, ProbeKind::models);
  CHECK(herd.state("k1") == KeyState::exhausted);
  const auto proof = GENERATE(0, 1, 2);
  if (proof == 0)
    herd.probe("k1", Verdict::ok, ProbeKind::chat);
  else if (proof == 1)
    herd.probe("k1", Verdict::ok, ProbeKind::balance);
  else
    herd.log("k1", Verdict::ok);
  CHECK(herd.state("k1") == KeyState::healthy);
  CHECK_FALSE(herd.health("k1").cooldown_until);
}

TEST_CASE("a positive balance does not end a quota") {
  Herd herd = Herd::healthy(1);
  herd.probe("k1", Verdict::quota_exhausted, ProbeKind::chat);
  herd.probe("k1", Verdict::ok, ProbeKind::balance);
  CHECK(herd.state("k1") == KeyState::exhausted);
}

TEST_CASE("where probes never spend, an unpaid success after the cool-down must do") {
  Herd herd(1);
  herd.facts()[0].probe.method = model::ProbeMethod::models;
  herd.configure();
  herd.log("k1", Verdict::balance_exhausted, 2);
  REQUIRE(herd.state("k1") == KeyState::exhausted);
  herd.probe("k1", Verdict::ok);
  CHECK(herd.state("k1") == KeyState::exhausted);
  herd.wait(5min);
  herd.tick();
  herd.probe("k1", Verdict::ok);
  CHECK(herd.state("k1") == KeyState::healthy);
}

}  // namespace keyherd::test
