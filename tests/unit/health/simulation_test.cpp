// Hours in the life of a herd: probes go out when the tracker says, a scripted provider answers.

#include <catch2/catch.hpp>
#include <functional>
#include <random>

#include "herd.hpp"

namespace keyherd::test {

namespace {

struct Outcome {
  int deaths = 0;
  int state_changes = 0;
  int incidents_opened = 0;
  int incidents_closed = 0;
  int probes = 0;
  std::map<std::string, std::chrono::seconds> died_after;
};

// The provider's answer to the key at this time since the beginning.
using Provider = std::function<Verdict(const std::string& key, std::chrono::seconds)>;

void tally(Outcome& outcome, const Change& change, std::chrono::seconds time) {
  for (const auto& state : change.changes) {
    ++outcome.state_changes;
    if (state.to == KeyState::dead) {
      ++outcome.deaths;
      outcome.died_after[state.key] = time;
    }
  }
  for (const auto& incident : change.incidents)
    (incident.open ? outcome.incidents_opened : outcome.incidents_closed) += 1;
}

Outcome live(Herd& herd, std::chrono::seconds duration, const Provider& provider) {
  Outcome outcome;
  for (std::chrono::seconds time{0}; time < duration; ++time) {
    tally(outcome, herd.tick(), time);
    for (const auto& facts : herd.facts()) {
      const auto plan = herd.tracker().next_probe(facts.id, herd.now());
      if (!plan || plan->wait > 0ns)
        continue;
      ++outcome.probes;
      const auto kind = plan->paid ? model::ProbeKind::chat : model::ProbeKind::models;
      tally(outcome, herd.probe(facts.id, provider(facts.id, time), kind), time);
    }
    herd.wait(1s);
  }
  return outcome;
}

// Healthy keys whose probes are spread over their interval, as the agent's jitter does it.
Herd spread_herd(int keys) {
  Herd herd(keys);
  for (int i = 1; i <= keys; ++i) {
    herd.probe(key_name(i), Verdict::ok);
    herd.wait(300s / keys);
  }
  return herd;
}

}  // namespace

TEST_CASE("an outage of an hour condemns none of 100 keys and is one incident") {
  const auto verdict = GENERATE(Verdict::network, Verdict::overloaded, Verdict::server_error,
                                Verdict::upstream_auth);
  Herd herd = spread_herd(100);
  const Outcome outcome = live(herd, 2h, [&](const std::string&, std::chrono::seconds time) {
    return time >= 10min && time < 70min ? verdict : Verdict::ok;
  });
  CHECK(outcome.incidents_opened == 1);
  CHECK(outcome.incidents_closed == 1);
  CHECK(outcome.state_changes == 0);
  CHECK(herd.count(KeyState::healthy) == 100);
  // An outage must not be answered with a storm of probes.
  CHECK(outcome.probes < 100 * 24 * 13 / 10);
}

TEST_CASE("refusing everybody for five minutes is one incident and condemns none") {
  const int keys = GENERATE(2, 3, 10, 100);
  Herd herd = spread_herd(keys);
  const Outcome outcome = live(herd, 1h, [](const std::string&, std::chrono::seconds time) {
    return time >= 10min && time < 15min ? Verdict::invalid_key : Verdict::ok;
  });
  CHECK(outcome.incidents_opened == outcome.incidents_closed);
  CHECK(outcome.incidents_opened >= 1);
  if (keys >= 10)
    CHECK(outcome.incidents_opened == 1);
  CHECK(outcome.deaths == 0);
}

TEST_CASE("one revoked key of 100 dies at its third proof and none of the others is touched") {
  Herd herd = spread_herd(100);
  const Outcome outcome = live(herd, 1h, [](const std::string& key, std::chrono::seconds time) {
    return key == "k42" && time >= 10min ? Verdict::invalid_key : Verdict::ok;
  });
  CHECK(outcome.deaths == 1);
  CHECK(outcome.state_changes == 1);
  CHECK(outcome.incidents_opened == 0);
  // Found at its next probe, condemned by two more, 20 s apart.
  CHECK(outcome.died_after.at("k42") >= 10min + 40s);
  CHECK(outcome.died_after.at("k42") <= 15min + 41s);
}

TEST_CASE("two keys of 100 revoked at the same moment both die within minutes") {
  Herd herd = spread_herd(100);
  const Outcome outcome = live(herd, 1h, [](const std::string& key, std::chrono::seconds time) {
    return (key == "k42" || key == "k43") && time >= 10min ? Verdict::invalid_key : Verdict::ok;
  });
  CHECK(outcome.deaths == 2);
  CHECK(outcome.died_after.at("k42") <= 18min);
  CHECK(outcome.died_after.at("k43") <= 18min);
}

TEST_CASE("a key that flaps at every probe for a day neither dies nor changes") {
  Herd herd = spread_herd(10);
  int turn = 0;
  const Outcome outcome = live(herd, 24h, [&](const std::string& key, std::chrono::seconds) {
    if (key != "k1")
      return Verdict::ok;
    return ++turn % 2 == 0 ? Verdict::invalid_key : Verdict::ok;
  });
  CHECK(turn > 300);
  CHECK(outcome.state_changes == 0);
}

// Adversarial: it is served exactly until it is trusted, then refused until it is dead.
TEST_CASE("a key that dies again and again is trusted ever later") {
  Herd herd = spread_herd(10);
  const Outcome outcome = live(herd, 24h, [&](const std::string& key, std::chrono::seconds) {
    if (key != "k1")
      return Verdict::ok;
    return herd.state("k1") == KeyState::dead ? Verdict::ok : Verdict::invalid_key;
  });
  CHECK(outcome.deaths > 3);
  // An hour to the next look, then 2, 4, 8 … 64 proofs 20 s apart.
  CHECK(outcome.deaths <= 24);
  CHECK(herd.count(KeyState::healthy) >= 9);
}

TEST_CASE("a revoked key that is replaced at the provider lives again after two probes") {
  Herd herd = spread_herd(10);
  const Outcome outcome = live(herd, 6h, [](const std::string& key, std::chrono::seconds time) {
    return key == "k1" && time < 2h ? Verdict::invalid_key : Verdict::ok;
  });
  CHECK(outcome.deaths == 1);
  CHECK(outcome.state_changes == 2);
  CHECK(herd.state("k1") == KeyState::healthy);
}

TEST_CASE("whatever comes, the beliefs hold together") {
  std::mt19937 random(GENERATE(1U, 2U, 3U, 4U, 5U));
  Herd herd(7);
  for (auto& facts : herd.facts())
    facts.limit_group = "group-" + std::to_string(random() % 3);
  herd.configure();
  for (int step = 0; step < 4000; ++step) {
    const std::string key = key_name(1 + static_cast<int>(random() % 7));
    const auto verdict = static_cast<Verdict>(random() % model::kVerdictCount);
    const auto before = herd.health(key);
    Change change;
    switch (random() % 8) {
      case 0:
        change = herd.log(key, verdict, 1 + random() % 5, std::chrono::seconds(random() % 9));
        break;
      case 1:
        change = herd.report(key, verdict);
        break;
      case 2:
        change = herd.tick();
        break;
      case 3:
        change = random() % 10 == 0 ? herd.tracker().pause(key, "x", herd.now()) : Change{};
        break;
      case 4:
        change = herd.tracker().resume(key, "x", herd.now());
        break;
      default:
        change = herd.probe(key, verdict, static_cast<model::ProbeKind>(random() % 4),
                            random() % 3 == 0 ? std::optional<std::chrono::nanoseconds>(
                                                    std::chrono::seconds(random() % 200'000))
                                              : std::nullopt);
    }
    for (const auto& state : change.changes) {
      CHECK(state.from != state.to);
      CHECK_FALSE(state.why.empty());
      if (state.from == KeyState::paused)
        CHECK(state.to == KeyState::unknown);
      if (state.to == KeyState::dead)
        CHECK(before.auth_strikes + 5 >= 3);
    }
    for (const auto& facts : herd.facts()) {
      const auto& health = herd.health(facts.id);
      CHECK(health.paused == (health.state == KeyState::paused));
      const bool cools = health.state == KeyState::throttled || health.state == KeyState::exhausted;
      CHECK((cools || !health.cooldown_until));
      if (health.state == KeyState::throttled)
        CHECK(health.cooldown_until.has_value());
      CHECK(herd.tracker().next_probe(facts.id, herd.now()).has_value() == !health.paused);
    }
    herd.wait(std::chrono::milliseconds(random() % 30'000));
  }
}

}  // namespace keyherd::test
