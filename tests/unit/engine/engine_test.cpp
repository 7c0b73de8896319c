#include <catch2/catch.hpp>

#include "notify/alerts.hpp"
#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using namespace std::chrono_literals;
using model::KeyState;

namespace {

const std::string kConfig = R"(
[agent]
state = ":memory:"

[providers.p]
type = "deepseek"
probe = { every = "1m", timeout = "5s" }

[keys.k1]
provider = "p"
secret = "env:K1"
priority = 3
quotas = ["daily"]
[keys.k2]
provider = "p"
secret = "env:K2"
priority = 2
[keys.k3]
provider = "p"
secret = "env:K3"
priority = 1

[quotas.daily]
limit = 1000
unit = "tokens"
window = "day"

[pools.prod]
keys = ["k1", "k2", "k3"]
strategy = "priority"
schedule = "0 3 * * *"
publish = [{ file = "prod.json" }]

[usage_logs.log]
path = "usage.jsonl"
)";

}  // namespace

TEST_CASE("keys are proven, the best one is published with its secret, generation 1") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  for (const char* key : {"k1", "k2", "k3"})
    CHECK(world.state(key) == KeyState::healthy);
  CHECK(world.active("prod") == "k1");
  const auto file = world.file("prod.json");
  CHECK(file["key"] == "k1");
  CHECK(file["secret"] == "sk-world-k1");
  CHECK(file["generation"] == 1);
  CHECK(world.files.stat("prod.json")->mode == 0600);
  CHECK(world.published.active()->at("prod").key == "k1");
}

TEST_CASE("a burst of 401 in the log switches the pool without waiting for a probe") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  const auto probes = world.provider.probes;
  for (int i = 0; i < 5; ++i)
    world.log_line("k1", 401);
  world.settle();
  CHECK(world.state("k1") == KeyState::dead);
  CHECK(world.active("prod") == "k2");
  CHECK(world.file("prod.json")["generation"] == 2);
  CHECK(
      world.pool("prod").rotations[static_cast<std::size_t>(model::RotationTrigger::invalid_key)] ==
      1);
  CHECK(world.key("k1").usage_failures[static_cast<std::size_t>(model::UsageFailure::auth)] == 5);
  // At most the probe that follows the switch was made.
  CHECK(world.provider.probes <= probes + 2);
}

TEST_CASE("a revoked key dies by its probes, its pool moves, and the others are untouched") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  world.provider.status["sk-world-k1"] = 401;
  world.advance(5min);
  CHECK(world.state("k1") == KeyState::dead);
  CHECK(world.state("k2") == KeyState::healthy);
  CHECK(world.state("k3") == KeyState::healthy);
  CHECK(world.active("prod") == "k2");
  const auto story = world.explain("k1", world.clock.now().wall);
  CHECK(story.state == KeyState::dead);
  CHECK(story.changes.front().why == world.key("k1").health.why);
  REQUIRE(story.evidence.size() >= 3);
  for (int i = 0; i < 3; ++i)
    CHECK(story.evidence[static_cast<std::size_t>(i)].verdict == model::Verdict::invalid_key);
}

TEST_CASE("an outage condemns nobody, moves nothing, and ends by itself") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  // 302 and 407: a captive portal or a proxy answers in the provider's place.
  const int outage = GENERATE(500, 503, 401, 429, 302, 407);
  CAPTURE(outage);
  world.provider.outage = outage;
  world.advance(2h);
  if (outage != 429)  // being told to slow down is an answer: the keys wait, the provider is there
    CHECK_FALSE(world.snapshot()->providers[0]->up);
  for (const char* key : {"k1", "k2", "k3"})
    CHECK(world.state(key) != KeyState::dead);
  CHECK(world.active("prod") == "k1");
  CHECK(world.pool("prod").state.generation == 1);
  world.provider.outage = 0;
  world.advance(15min);
  CHECK(world.snapshot()->providers[0]->up);
  for (const char* key : {"k1", "k2", "k3"})
    CHECK(world.state(key) == KeyState::healthy);
}

TEST_CASE("a probe that the provider calls wrong condemns nobody, moves nothing and is told of") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  const int wrong = GENERATE(400, 404, 422);
  CAPTURE(wrong);
  world.provider.outage = wrong;
  world.advance(2h);
  for (const char* key : {"k1", "k2", "k3"})
    CHECK(world.state(key) == KeyState::healthy);
  CHECK(world.active("prod") == "k1");
  CHECK(world.pool("prod").state.generation == 1);
  const auto alerts = notify::find_alerts(*world.snapshot(), world.clock.now().wall);
  CHECK(std::count_if(alerts.begin(), alerts.end(), [](const auto& alert) {
          return alert.rule->name == "KeyherdProbeInconclusive";
        }) == 3);
}

TEST_CASE("the last usable key stays active") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  for (const char* key : {"k2", "k3"}) {
    world.provider.status[World::secret_of(key)] = 401;
    world.advance(10min);
  }
  CHECK(world.state("k2") == KeyState::dead);
  CHECK(world.active("prod") == "k1");
  CHECK(world.pool("prod").available == 1);
  CHECK_FALSE(world.pool("prod").survives_key_loss);
}

TEST_CASE("usage is summed, quota thresholds are crossed, a full quota moves the pool") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  world.log_line("k1", 200, 860);
  world.settle();
  REQUIRE(world.key("k1").quotas.size() == 1);
  CHECK(world.key("k1").quotas[0].used == 860);
  CHECK(world.key("k1").quotas[0].level == 2);
  CHECK(world.active("prod") == "k1");
  world.log_line("k1", 200, 200);
  world.settle();
  CHECK(world.key("k1").quotas[0].level == 3);
  CHECK(world.active("prod") == "k2");
  world.advance(25h);
  CHECK(world.key("k1").quotas[0].used == 0);
}

TEST_CASE("the schedule fires once at its time and rotates") {
  World world(kConfig);
  world.start();  // 2026-05-01T00:00:00Z
  world.advance(2h + 59min);
  CHECK(world.pool("prod").state.generation == 1);
  world.advance(2min);
  CHECK(world.pool("prod").state.generation == 2);
  CHECK(world.pool("prod").schedule_runs == 1);
  CHECK(world.active("prod") == "k2");
  world.advance(1h);
  CHECK(world.pool("prod").schedule_runs == 1);
}

TEST_CASE("a frozen pool stays where it is, over a restart, until it is unfrozen") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  REQUIRE(world.active("prod") == "k1");
  world.call([](engine::Engine& engine, Instant now) {
    REQUIRE(engine.freeze("prod", {true, std::nullopt, "admin", "migration"}, now));
    CHECK_FALSE(engine.freeze("nowhere", {}, now));
  });
  world.settle();
  world.start();
  REQUIRE(world.pool("prod").freeze);
  CHECK(world.pool("prod").freeze->reason == "migration");
  world.provider.status["sk-world-k1"] = 401;
  world.advance(30min);
  CHECK(world.state("k1") == KeyState::dead);
  CHECK(world.active("prod") == "k1");
  CHECK(world.pool("prod").problem.find("frozen by admin: migration") != std::string::npos);
  world.call([](engine::Engine& engine, Instant now) {
    CHECK(engine.unfreeze("prod", "admin", now)->freeze == std::nullopt);
  });
  world.advance(1s);
  CHECK(world.active("prod") == "k2");
}

TEST_CASE("a restart keeps beliefs, totals and the decision, and publishes it again") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  world.log_line("k1", 200, 100);
  world.settle();
  world.provider.status["sk-world-k2"] = 401;
  world.advance(10min);
  const auto before = world.snapshot();
  world.files.create("prod.json", "gone");
  world.start();
  CHECK(world.state("k2") == KeyState::dead);
  CHECK(world.active("prod") == "k1");
  CHECK(world.file("prod.json")["generation"] == 1);
  CHECK(world.key("k1").usage_by_model == model::find_key(*before, "k1")->usage_by_model);
  CHECK(world.key("k1").quotas[0].used == 100);
  CHECK(world.pool("prod").state.generation == 1);
}

TEST_CASE("what was believed at any time is told, also after a restart") {
  World world(kConfig);
  world.start();
  const WallTime before = world.clock.now().wall - 1s;
  world.advance(5s);
  const WallTime well = world.clock.now().wall;
  world.provider.status["sk-world-k1"] = 401;
  world.advance(6min);
  world.start();
  CHECK(world.explain("k1", well).state == KeyState::healthy);
  CHECK(world.explain("k1", well).since < well);
  CHECK(world.explain("k1", well).evidence.front().verdict == model::Verdict::ok);
  const auto dead = world.explain("k1", world.clock.now().wall);
  CHECK(dead.state == KeyState::dead);
  CHECK(dead.verdict == model::Verdict::invalid_key);
  CHECK(dead.why.find("refused 3 times in a row") != std::string::npos);
  CHECK(dead.changes.back().from == KeyState::unknown);
  const auto unborn = world.explain("k1", before);
  CHECK(unborn.state == KeyState::unknown);
  CHECK_FALSE(unborn.since);
  CHECK(unborn.evidence.empty());
}

TEST_CASE("the evidence of this moment is told, even while the disk is full") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  world.log_line("k1", 429);
  world.advance(1s);
  CHECK(world.explain("k1", world.clock.now().wall).evidence.front().verdict ==
        model::Verdict::rate_limited);
  world.store_fails = true;
  world.advance(10min);
  world.store_fails = false;  // the query is answered, the commits are still to come
  CHECK(world.explain("k1", world.clock.now().wall).evidence.front().verdict ==
        model::Verdict::rate_limited);
}

TEST_CASE("a busy key's troubles do not fill the disk, and none of their lines is lost") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  for (int i = 0; i < 600; ++i) {
    world.log_line("k1", 429);
    world.advance(100ms);
  }
  std::int64_t lines = 0;
  int pieces = 0;
  int probes = 0;
  const auto story = world.explain("k1", world.clock.now().wall);
  for (const auto& evidence : story.evidence) {
    if (evidence.source != model::EvidenceSource::usage_log) {
      ++probes;
      continue;
    }
    ++pieces;
    lines += evidence.count;
  }
  // One in ten seconds; and what a probe's answer, which is another, or the key's fall cuts off.
  INFO(pieces << " pieces, " << probes << " probes");
  CHECK(pieces <= 7 + 2 * probes);
  CHECK(pieces < 15);  // not 600
  CHECK(lines == 600);
}

TEST_CASE("while the disk is full nothing counts and nothing is lost") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  world.store_fails = true;
  world.log_line("k1", 200, 100);
  world.advance(1min);
  CHECK(world.key("k1").usage_by_model.empty());
  CHECK_FALSE(world.snapshot()->agent.ready);
  CHECK(world.snapshot()->agent.not_ready_because.find("the disk is full") != std::string::npos);
  world.log_line("k1", 200, 50);
  world.store_fails = false;
  world.advance(1min);
  CHECK(world.snapshot()->agent.ready);
  CHECK(world.key("k1").usage_by_model.at("deepseek-flash").input == 150);
  CHECK(world.key("k1").quotas[0].used == 150);
}

TEST_CASE("an emergency while a decision cannot be saved waits, and gets a generation of its own") {
  World world(kConfig);
  world.start();
  world.advance(5s);
  const int steps = world.published_steps;
  world.effect = [&] { world.store_fails = world.published_steps > steps; };
  world.call([](engine::Engine& engine, Instant now) {
    engine.rotate({"prod", "k2", "a test", "admin", false}, now);
  });
  REQUIRE(world.file("prod.json")["key"] == "k2");
  REQUIRE(world.active("prod") == "k1");
  world.provider.status["sk-world-k1"] = 401;
  world.provider.status["sk-world-k2"] = 401;
  std::map<std::int64_t, std::string> published;
  for (int i = 0; i < 90; ++i) {
    world.advance(10s);
    if (i == 60) {
      world.effect = [] {};
      world.store_fails = false;
    }
    const auto file = world.file("prod.json");
    const auto known = published.emplace(file["generation"], file["key"]).first;
    REQUIRE(known->second == file["key"]);
  }
  CHECK(published == std::map<std::int64_t, std::string>{{2, "k2"}, {3, "k3"}});
  CHECK(world.active("prod") == "k3");
}

TEST_CASE("a step of the wall clock is noticed and counts nothing twice") {
  World world(kConfig);
  world.start();
  world.advance(3h + 1min);
  const auto generation = world.pool("prod").state.generation;
  world.clock.step_wall(-2h);
  world.advance(90min);
  CHECK(world.snapshot()->agent.clock_steps == 1);
  CHECK(world.pool("prod").state.generation == generation);
  CHECK(world.pool("prod").schedule_runs == 1);
}

TEST_CASE("a balance that falls without a line in the log is unaccounted, also after a restart") {
  World world(kConfig);
  world.start();
  world.advance(10min);
  CHECK(world.snapshot()->drains.empty());
  CHECK(world.key("k1").wallet.at(0).nanos == 10 * model::kNanosPerUsd);

  world.provider.balance = "7.50";
  world.advance(10min);
  REQUIRE(world.snapshot()->drains.size() == 3);  // each key is alone
  const model::WalletDrain drain = world.snapshot()->drains.at(0);
  CHECK(drain.owner == "k1");
  CHECK(drain.unaccounted == 5 * model::kNanosPerUsd / 2);
  CHECK(drain.silent);
  CHECK(world.key("k1").wallet.at(0).dropped == 5 * model::kNanosPerUsd / 2);
  CHECK(world.key("k1").trust == 0.0);

  world.start();
  world.advance(1min);
  REQUIRE(world.snapshot()->drains.size() == 3);
  CHECK(world.snapshot()->drains.at(0).unaccounted == 5 * model::kNanosPerUsd / 2);
  CHECK(world.key("k1").wallet.at(0).dropped == 5 * model::kNanosPerUsd / 2);

  world.advance(8h);
  CHECK(world.snapshot()->drains.empty());
}

TEST_CASE("a balance that falls while the agent is away, by what the log says, is explained") {
  World world(kConfig + R"(
[providers.p.prices.deepseek-flash]
input = 1
output = 1
)");
  world.start();
  world.advance(10min);
  world.provider.balance = "8.00";
  for (const char* key : {"k1", "k2", "k3"})
    world.log_line(key, 200, 2'000'000);
  world.clock.advance(1h);
  world.start();
  world.advance(10min);
  REQUIRE(world.snapshot()->drains.size() == 3);
  for (const model::WalletDrain& drain : world.snapshot()->drains) {
    CHECK(drain.explained == 2 * model::kNanosPerUsd);  // what the lines cost, and no probe
    CHECK(drain.unaccounted == 0);
    CHECK_FALSE(drain.silent);
  }
}

TEST_CASE("a top-up is no fall, and lines without usage lower the trust") {
  World world(kConfig);
  world.start();
  world.advance(10min);
  world.provider.balance = "50.00";
  for (int i = 0; i < 3; ++i)
    world.log_line("k1", 200, 10);
  world.log_line("k1", 200, 0);
  world.advance(10min);
  CHECK(world.snapshot()->drains.empty());
  CHECK(world.key("k1").trust == 0.75);
  CHECK(world.key("k1").suspects == model::SuspectCounts{1, 0, 0, 0});
  const auto& source = *world.snapshot()->sources.at(0);
  REQUIRE(source.samples.size() == 1);
  CHECK(source.samples[0].find("missing_usage at byte ") == 0);
}

TEST_CASE("a limit group's quota counts all its keys and, when full, moves the pool out of it") {
  World world(R"(
[agent]
state = ":memory:"
[providers.p]
type = "deepseek"
probe = { every = "1m", timeout = "5s" }
[keys.a1]
provider = "p"
secret = "env:A1"
limit_group = "acct"
priority = 3
[keys.a2]
provider = "p"
secret = "env:A2"
limit_group = "acct"
priority = 2
[keys.b]
provider = "p"
secret = "env:B"
priority = 1
quotas = ["daily"]
[limit_groups.acct]
quotas = ["daily"]
[quotas.daily]
limit = 1000
window = "day"
[pools.prod]
keys = ["a1", "a2", "b"]
strategy = "priority"
publish = [{ file = "prod.json" }]
[usage_logs.log]
path = "usage.jsonl"
)");
  world.start();
  world.advance(5s);
  CHECK(world.active("prod") == "a1");
  CHECK(world.pool("prod").survives_key_loss);
  world.log_line("a1", 200, 300);
  world.log_line("a2", 200, 300);
  world.advance(1min);
  REQUIRE(world.snapshot()->group_quotas.size() == 1);
  const model::QuotaStatus half = world.snapshot()->group_quotas[0];
  CHECK(half.owner == "group:acct");
  CHECK(half.used == 600);
  CHECK(half.exhausts_before_reset);
  CHECK(world.active("prod") == "a1");
  // 600 in the last hour: neither group carries that to midnight alone.
  CHECK_FALSE(world.pool("prod").survives_key_loss);
  CHECK(world.pool("prod").exhausted_at);
  world.log_line("a2", 200, 400);
  world.advance(1min);
  CHECK(world.active("prod") == "b");
}

TEST_CASE("a batch of a log that a reload removed meanwhile is refused, not counted") {
  struct Witness : World {
    using World::World;
    std::vector<std::pair<std::string, std::uint64_t>> refused;
    void refuse(const std::string& source, std::uint64_t batch) override {
      refused.emplace_back(source, batch);
    }
  };
  Witness world(kConfig);
  world.start();
  const auto arrive = [&](std::uint64_t batch) {
    model::Tally tally;
    tally.source = "removed";
    tally.batch = batch;
    tally.usage.push_back({"k1", "m", model::bucket_of(world.clock.now().wall), {.requests = 1}});
    world.call([&](engine::Engine& engine, Instant now) {
      engine.handle(engine::TallyArrived{std::move(tally)}, now);
    });
    world.settle();
  };
  arrive(7);
  CHECK(world.refused == std::vector<std::pair<std::string, std::uint64_t>>{{"removed", 7}});
  arrive(0);  // says only how the log looks: nothing to answer
  CHECK(world.refused.size() == 1);
  CHECK(world.store->load()->usage_totals.empty());
}

TEST_CASE("who changes something is told when everybody can see it") {
  World world(kConfig);
  world.start();
  world.advance(1min);
  std::optional<KeyState> seen;
  world.call([&](engine::Engine& engine, Instant now) {
    REQUIRE(engine.pause("k1", "api:admin", now));
    engine.tell_once_published([&] { seen = world.state("k1"); });
    CHECK_FALSE(seen);
  });
  CHECK(seen == KeyState::paused);
}
