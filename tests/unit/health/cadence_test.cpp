// Cool-downs, and when a key is probed next.

#include <catch2/catch.hpp>

#include "herd.hpp"

namespace keyherd::test {

using model::ProbeKind;

TEST_CASE("a throttled key is left alone until the stated time and is good again then") {
  Herd herd = Herd::healthy(1);
  herd.probe("k1", Verdict::rate_limited, ProbeKind::chat, 90s);
  CHECK(herd.state("k1") == KeyState::throttled);
  CHECK(herd.health("k1").cooldown_until == herd.now().wall + 90s);
  REQUIRE(herd.tracker().next_probe("k1", herd.now()));
  CHECK(herd.tracker().next_probe("k1", herd.now())->not_before);
  CHECK(herd.due("k1") == 90s);
  CHECK(herd.tracker().next_deadline() == herd.now().steady + 90s);

  herd.wait(89s);
  herd.log("k1", Verdict::ok, 5);
  CHECK(herd.tick().empty());
  CHECK(herd.state("k1") == KeyState::throttled);
  herd.wait(1s);
  const Change change = herd.tick();
  CHECK(herd.state("k1") == KeyState::healthy);
  CHECK_FALSE(herd.health("k1").cooldown_until);
  CHECK(change.probe_soon == std::vector<std::string>{"k1"});
  CHECK(herd.due("k1") == 0ns);
  CHECK_FALSE(herd.tracker().next_deadline());
}

TEST_CASE("a stated time is prolonged by a later one, never shortened") {
  Herd herd = Herd::healthy(1);
  herd.probe("k1", Verdict::rate_limited, ProbeKind::chat, 60s);
  herd.probe("k1", Verdict::rate_limited, ProbeKind::chat, 10s);
  herd.log("k1", Verdict::rate_limited, 5);
  CHECK(herd.due("k1") == 60s);
  herd.probe("k1", Verdict::rate_limited, ProbeKind::chat, 120s);
  CHECK(herd.due("k1") == 120s);
  herd.wait(60s);
  herd.tick();
  CHECK(herd.state("k1") == KeyState::throttled);
  herd.wait(60s);
  herd.tick();
  CHECK(herd.state("k1") == KeyState::healthy);
}

TEST_CASE("a wait that is asked for with any failure is kept, and changes no state") {
  Herd herd = Herd::healthy(2);
  herd.wait(5min);
  herd.probe("k1", Verdict::overloaded, ProbeKind::models, 10min);
  CHECK(herd.state("k1") == KeyState::healthy);
  CHECK(herd.due("k1") == 10min);
  CHECK(herd.tracker().next_probe("k1", herd.now())->not_before);
  // A shorter one that follows does not shorten it, and a day is not believed of an outage.
  herd.probe("k1", Verdict::server_error, ProbeKind::models, 1min);
  CHECK(herd.due("k1") == 10min);
  herd.probe("k1", Verdict::overloaded, ProbeKind::models, 24h);
  CHECK(herd.due("k1") == 1h);
  herd.log("k1", Verdict::ok, 1);
  CHECK(herd.due("k1") <= 5min);
}

TEST_CASE("a key that is bad again within a day needs twice the proofs") {
  Herd herd = Herd::healthy(3);
  const auto die_and_recover = [&] {
    for (int i = 0; i < 3; ++i)
      herd.probe("k1", Verdict::invalid_key);
    REQUIRE(herd.state("k1") == KeyState::dead);
    int proofs = 0;
    while (herd.state("k1") == KeyState::dead) {
      herd.wait(20s);
      herd.probe("k1", Verdict::ok);
      ++proofs;
    }
    herd.probe("k2", Verdict::ok);
    herd.wait(1s);
    return proofs;
  };
  CHECK(die_and_recover() == 2);
  CHECK(die_and_recover() == 4);
  CHECK(die_and_recover() == 8);
  for (int i = 0; i < 5; ++i)
    die_and_recover();
  CHECK(die_and_recover() == 64);
  herd.wait(25h);
  CHECK(die_and_recover() == 2);
}

TEST_CASE("without a stated time cool-downs that follow each other double from 5 s to 10 min") {
  Herd herd = Herd::healthy(1);
  std::vector<std::chrono::seconds> lengths;
  for (int i = 0; i < 9; ++i) {
    herd.log("k1", Verdict::rate_limited, 5);
    // More of the same while it lasts does not count again.
    herd.log("k1", Verdict::rate_limited, 5);
    lengths.push_back(std::chrono::duration_cast<std::chrono::seconds>(herd.due("k1")));
    herd.wait(herd.due("k1"));
    herd.tick();
    REQUIRE(herd.state("k1") == KeyState::healthy);
    herd.wait(1s);
  }
  CHECK(lengths ==
        std::vector<std::chrono::seconds>{5s, 10s, 20s, 40s, 80s, 160s, 320s, 600s, 600s});
  herd.wait(11min);
  herd.log("k1", Verdict::rate_limited, 5);
  CHECK(herd.due("k1") == 5s);
}

TEST_CASE("to be told to wait for more than a day is a quota") {
  Herd herd = Herd::healthy(1);
  herd.probe("k1", Verdict::rate_limited, ProbeKind::chat, 24h);
  CHECK(herd.state("k1") == KeyState::throttled);
  herd.probe("k1", Verdict::rate_limited, ProbeKind::chat, 25h);
  CHECK(herd.state("k1") == KeyState::exhausted);
  CHECK(herd.due("k1") == 25h);
}

TEST_CASE("slow down, for an hour and never until when, is a quota") {
  Herd herd = Herd::healthy(1);
  const auto refused = [&](std::chrono::minutes later) {
    herd.wait(later);
    herd.tick();
    herd.log("k1", Verdict::rate_limited);
  };
  refused(0min);
  for (int i = 0; i < 4; ++i)
    refused(14min);
  CHECK(herd.state("k1") == KeyState::throttled);  // 56 min
  herd.probe("k1", Verdict::ok);                   // a list of models is no use
  SECTION("until it can be used again") {
    refused(5min);
    REQUIRE(herd.state("k1") == KeyState::exhausted);
    CHECK(herd.health("k1").why.find("told to slow down 6 times in 1h1m") != std::string::npos);
    herd.probe("k1", Verdict::ok);
    CHECK(herd.state("k1") == KeyState::exhausted);
    herd.wait(16min);
    herd.log("k1", Verdict::ok);
    CHECK(herd.state("k1") == KeyState::healthy);
  }
  SECTION("unless it was of use in between") {
    herd.log("k1", Verdict::ok);
    refused(5min);
    CHECK(herd.state("k1") == KeyState::throttled);
  }
  SECTION("unless an hour passed without a refusal") {
    refused(61min);
    CHECK(herd.state("k1") == KeyState::throttled);
  }
  SECTION("unless an end was told") {
    herd.probe("k1", Verdict::rate_limited, ProbeKind::chat, 30s);
    refused(5min);
    CHECK(herd.state("k1") == KeyState::throttled);
  }
}

TEST_CASE("times that cannot be meant are not believed") {
  Herd herd = Herd::healthy(1);
  herd.probe("k1", Verdict::rate_limited, ProbeKind::chat, GENERATE(-5s, 0s, 1'000'000'000s));
  CHECK(herd.state("k1") == KeyState::throttled);
  CHECK(herd.due("k1") == 5s);
}

TEST_CASE("an exhausted key with a stated reset waits for it, and is unproven then") {
  Herd herd = Herd::healthy(1);
  herd.probe("k1", Verdict::quota_exhausted, ProbeKind::chat, 7h);
  CHECK(herd.state("k1") == KeyState::exhausted);
  CHECK(herd.due("k1") == 7h);
  herd.wait(7h);
  const Change change = herd.tick();
  CHECK(herd.state("k1") == KeyState::unknown);
  CHECK(change.probe_soon == std::vector<std::string>{"k1"});
  CHECK(herd.tracker().next_probe("k1", herd.now())->paid);
  herd.probe("k1", Verdict::ok, ProbeKind::chat);
  CHECK(herd.state("k1") == KeyState::healthy);
}

TEST_CASE("an exhausted key without a stated reset is looked at every 5 to 15 minutes") {
  Herd herd = Herd::healthy(1);
  std::vector<std::chrono::minutes> waits;
  for (int i = 0; i < 4; ++i) {
    herd.probe("k1", Verdict::balance_exhausted, ProbeKind::chat);
    waits.push_back(std::chrono::duration_cast<std::chrono::minutes>(herd.due("k1")));
    herd.wait(herd.due("k1"));
    herd.tick();
    CHECK(herd.state("k1") == KeyState::exhausted);
    CHECK(herd.due("k1") == 0ns);
    CHECK(herd.tracker().next_probe("k1", herd.now())->paid);
  }
  CHECK(waits == std::vector<std::chrono::minutes>{5min, 10min, 15min, 15min});
}

TEST_CASE("our own quota that begins anew frees an exhausted key") {
  Herd herd = Herd::healthy(2);
  CHECK(herd.tracker().quota_reset("k1", herd.now()).empty());
  herd.probe("k1", Verdict::quota_exhausted, ProbeKind::chat);
  const Change change = herd.tracker().quota_reset("k1", herd.now());
  CHECK(herd.state("k1") == KeyState::unknown);
  CHECK(change.probe_soon == std::vector<std::string>{"k1"});
}

TEST_CASE("probes come at the usual pace, quickly in doubt, slowly when dead") {
  Herd herd = Herd::healthy(2);
  CHECK(herd.due("k1") == 5min - 1s);
  herd.wait(6min);
  herd.probe("k2", Verdict::ok);
  CHECK(herd.due("k1") == 0ns);
  herd.probe("k1", Verdict::invalid_key);
  CHECK(herd.due("k1") == 20s);
  herd.wait(20s);
  herd.probe("k1", Verdict::invalid_key);
  CHECK(herd.due("k1") == 20s);
  herd.wait(20s);
  herd.probe("k1", Verdict::invalid_key);
  REQUIRE(herd.state("k1") == KeyState::dead);
  CHECK(herd.due("k1") == 1h);
  herd.wait(1h);
  herd.probe("k1", Verdict::ok);
  CHECK(herd.due("k1") == 20s);
}

TEST_CASE("a key that gets no answer is asked again ever more slowly, up to the usual pace") {
  Herd herd = Herd::healthy(1);
  std::vector<std::chrono::seconds> waits;
  for (int i = 0; i < 6; ++i) {
    herd.probe("k1", Verdict::network);
    waits.push_back(std::chrono::duration_cast<std::chrono::seconds>(herd.due("k1")));
    herd.wait(herd.due("k1"));
  }
  CHECK(waits == std::vector<std::chrono::seconds>{20s, 40s, 80s, 160s, 300s, 300s});
}

TEST_CASE("a key that was never probed is due at once, a paused or unheard-of one never") {
  Herd herd(1);
  CHECK(herd.due("k1") == 0ns);
  CHECK_FALSE(herd.tracker().next_probe("k9", herd.now()));
  herd.tracker().pause("k1", "admin", herd.now());
  CHECK_FALSE(herd.tracker().next_probe("k1", herd.now()));
}

TEST_CASE("an empty account makes its other keys doubtful, not exhausted") {
  Herd herd(4);
  for (auto& facts : herd.facts())
    facts.limit_group = facts.id == "k4" ? "other" : "acct";
  herd.configure();
  for (int i = 1; i <= 4; ++i)
    herd.probe(key_name(i), Verdict::ok);
  herd.wait(1min);
  const Change change = herd.probe("k1", Verdict::balance_exhausted, ProbeKind::chat);
  CHECK(change.probe_soon == std::vector<std::string>{"k2", "k3"});
  CHECK(herd.state("k2") == KeyState::healthy);
  CHECK(herd.tracker().next_probe("k2", herd.now())->paid);
  CHECK(herd.due("k2") == 0ns);
  CHECK(herd.due("k4") > 1min);
  // Whoever was asked is not asked again for the next one.
  herd.probe("k3", Verdict::ok, ProbeKind::chat);
  CHECK(herd.probe("k2", Verdict::balance_exhausted, ProbeKind::chat).probe_soon.empty());
}

TEST_CASE("a closed account makes its other keys doubtful at the first refusal") {
  Herd herd(3);
  for (auto& facts : herd.facts())
    facts.limit_group = "acct";
  herd.configure();
  for (int i = 1; i <= 3; ++i)
    herd.probe(key_name(i), Verdict::ok);
  herd.wait(1min);
  CHECK(herd.probe("k1", Verdict::account_disabled).probe_soon ==
        std::vector<std::string>{"k2", "k3"});
  // And they may all die: one account is one voice, not an incident of the provider.
  for (int round = 0; round < 3; ++round) {
    for (int i = 1; i <= 3; ++i)
      herd.probe(key_name(i), Verdict::account_disabled);
    herd.wait(20s);
  }
  CHECK_FALSE(herd.incident());
  CHECK(herd.count(KeyState::dead) == 3);
}

TEST_CASE("a step of the wall clock does not end a cool-down") {
  Herd herd = Herd::healthy(1);
  herd.probe("k1", Verdict::rate_limited, ProbeKind::chat, 60s);
  herd.clock().step_wall(24h);
  CHECK(herd.tick().empty());
  CHECK(herd.state("k1") == KeyState::throttled);
  herd.clock().step_wall(-48h);
  herd.wait(60s);
  herd.tick();
  CHECK(herd.state("k1") == KeyState::healthy);
}

}  // namespace keyherd::test
