// What is probed, when, and what is left out on purpose: through the whole engine.

#include <catch2/catch.hpp>

#include "notify/alerts.hpp"
#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using namespace std::chrono_literals;
using model::KeyState;
using model::ProbeKind;

namespace {

std::string herd_of(int keys, const std::string& provider, const std::string& agent = "") {
  std::string text = "[agent]\nstate = \":memory:\"\n" + agent + "[providers.p]\n" + provider;
  for (int i = 1; i <= keys; ++i) {
    const std::string id = "k" + std::to_string(i);
    text += "[keys." + id + "]\nprovider = \"p\"\nsecret = \"env:" + id + "\"\n";
  }
  return text + "[usage_logs.log]\npath = \"usage.jsonl\"\n";
}

const std::string kCompat =
    "type = \"openai_compat\"\nbase_url = \"https://api.example/v1\"\n"
    "probe = { every = \"1m\", timeout = \"5s\", model = \"m\" }\n";

std::int64_t probes_of(const World& world, const std::string& key, ProbeKind kind) {
  return world.key(key).probes.probes[static_cast<std::size_t>(kind)];
}

std::int64_t skipped(const World& world, std::size_t reason) {
  return world.snapshot()->agent.probes_skipped[reason];
}
constexpr std::size_t kBudget = 0;
constexpr std::size_t kCooldown = 1;
constexpr std::size_t kRecentEvidence = 2;
constexpr std::size_t kDisabled = 3;

const model::ProviderView& provider_of(const World& world) {
  return *world.snapshot()->providers.at(0);
}

}  // namespace

TEST_CASE("a made-up key is shown first, and an endpoint that refuses it authenticates") {
  World world(herd_of(1, kCompat));
  world.start();
  world.advance(1s);
  const auto requests = world.transport.requests();
  REQUIRE(requests.size() >= 2);
  CHECK(requests[0].secret.starts_with("sk-bogus"));
  CHECK(requests[1].secret == "sk-world-k1");
  CHECK(provider_of(world).authenticates == true);
  CHECK(world.state("k1") == KeyState::healthy);
}

TEST_CASE("a list of models that anybody can read makes no key healthy: the next probe does") {
  World world(herd_of(2, kCompat));
  world.provider.open = {"/models"};
  world.provider.status["sk-world-k2"] = 401;
  world.start();
  world.advance(1s);
  CHECK(provider_of(world).authenticates == false);
  CHECK(world.state("k1") == KeyState::healthy);
  CHECK(probes_of(world, "k1", ProbeKind::models) == 0);
  CHECK(probes_of(world, "k1", ProbeKind::auth) >= 1);
  world.advance(5min);
  CHECK(world.state("k2") == KeyState::dead);
}

TEST_CASE("where no free probe proves anything, keys are proven by paid ones, less often") {
  World world(herd_of(1, kCompat));
  world.provider.open = {"/models", "{}"};
  world.start();
  world.advance(1s);
  CHECK(world.state("k1") == KeyState::healthy);
  CHECK(world.key("k1").probe_interval == 15min);
  world.advance(1h);
  CHECK(probes_of(world, "k1", ProbeKind::models) == 0);
  CHECK(probes_of(world, "k1", ProbeKind::chat) >= 4);
  CHECK(probes_of(world, "k1", ProbeKind::chat) <= 6);
}

TEST_CASE("at an endpoint that accepts anything at every probe, no key is ever healthy") {
  World world(herd_of(1,
                      "type = \"openai_compat\"\nbase_url = \"https://api.example/v1\"\n"
                      "probe = { every = \"1m\", timeout = \"5s\" }\n"));
  world.provider.open = {""};
  world.start();
  world.advance(10min);
  CHECK(world.state("k1") == KeyState::unknown);
  const auto last = world.store->evidence({"k1", std::nullopt, 1});
  REQUIRE(last);
  REQUIRE(last->size() == 1);
  CHECK(last->front().verdict == model::Verdict::bad_request);
  CHECK(last->front().message.find("accepts any key") != std::string::npos);
}

TEST_CASE(
    "an endpoint that stops looking at keys is found out, and its keys are proven otherwise") {
  World world(herd_of(1, kCompat));
  world.start();
  world.advance(1min);
  CHECK(provider_of(world).authenticates == true);
  world.provider.open = {"/models"};
  world.provider.status["sk-world-k1"] = 401;
  world.advance(25h);
  CHECK(provider_of(world).authenticates == false);
  CHECK(world.state("k1") == KeyState::dead);
}

TEST_CASE("successes in the usage log save probes, free and paid, but for one an hour") {
  World world(herd_of(1, kCompat));
  world.start();
  world.advance(2min);
  const auto before = world.provider.probes;
  for (int i = 0; i < 120; ++i) {
    world.log_line("k1", 200, 10);
    world.advance(30s);
  }
  CHECK(world.provider.probes - before <= 2);
  CHECK(skipped(world, kRecentEvidence) >= 50);
  CHECK(world.state("k1") == KeyState::healthy);
  // Nobody uses it any more: it is asked again.
  const auto quiet = world.provider.probes;
  world.advance(5min);
  CHECK(world.provider.probes - quiet >= 4);
}

TEST_CASE("a key that is refused in use is probed however busy it was") {
  World world(herd_of(1, kCompat));
  world.start();
  world.advance(2min);
  world.log_line("k1", 200, 10);
  world.advance(20s);
  world.provider.status["sk-world-k1"] = 401;
  const auto before = world.provider.probes;
  world.log_line("k1", 401);
  world.advance(2min);
  CHECK(world.provider.probes - before >= 2);
  CHECK(world.state("k1") == KeyState::dead);
}

TEST_CASE("at a provider with balances the free probe is sent all the same: it brings the money") {
  World world(herd_of(1, "type = \"deepseek\"\nprobe = { every = \"1m\", timeout = \"5s\" }\n"));
  world.start();
  world.advance(2min);
  const auto before = probes_of(world, "k1", ProbeKind::balance);
  for (int i = 0; i < 20; ++i) {
    world.log_line("k1", 200, 10);
    world.advance(30s);
  }
  CHECK(probes_of(world, "k1", ProbeKind::balance) - before >= 8);
  CHECK(probes_of(world, "k1", ProbeKind::chat) <= 1);
}

TEST_CASE("the day's budget stops paid probes, counts them, and opens again at midnight") {
  const std::string often =
      "type = \"openai_compat\"\nbase_url = \"https://api.example/v1\"\n"
      "probe = { every = \"1m\", timeout = \"5s\", model = \"m\", paid_every = \"1m\" }\n";
  World world(herd_of(3, often, "probe_budget_tokens = 200\n"));
  world.start();
  world.advance(6h);
  std::int64_t tokens = 0;
  for (const char* key : {"k1", "k2", "k3"}) {
    const auto& probes = world.key(key).probes;
    tokens += probes.input_tokens + probes.output_tokens;
    CHECK(world.state(key) == KeyState::healthy);
  }
  CHECK(tokens > 100);
  CHECK(tokens <= 200);
  CHECK(skipped(world, kBudget) > 100);
  REQUIRE(world.snapshot()->agent.probe_budget_used);
  CHECK(*world.snapshot()->agent.probe_budget_used == 1);
  // A restart does not open it.
  world.start();
  world.advance(1h);
  CHECK(*world.snapshot()->agent.probe_budget_used == 1);
  const auto before = probes_of(world, "k1", ProbeKind::chat);
  world.advance(24h);
  CHECK(probes_of(world, "k1", ProbeKind::chat) > before);
}

TEST_CASE("a restart does not pay again for what has been proven") {
  World world(herd_of(3, kCompat));
  world.start();
  world.advance(2h);
  REQUIRE(probes_of(world, "k1", ProbeKind::chat) == 1);
  for (int i = 0; i < 4; ++i) {
    world.start();
    world.advance(30min);
  }
  for (const char* key : {"k1", "k2", "k3"})
    CHECK(probes_of(world, key, ProbeKind::chat) == 1);
  world.advance(3h);
  for (const char* key : {"k1", "k2", "k3"})
    CHECK(probes_of(world, key, ProbeKind::chat) == 2);  // six hours have passed
}

TEST_CASE("what a person asks for is sent whatever the budget says") {
  World world(herd_of(1, kCompat, "probe_budget_tokens = 1\n"));
  world.start();
  world.advance(10min);
  CHECK(probes_of(world, "k1", ProbeKind::chat) == 0);
  world.ask("k1");
  world.advance(1s);
  CHECK(probes_of(world, "k1", ProbeKind::chat) == 1);
}

TEST_CASE("cool-downs and pauses leave probes out, and that is counted") {
  World world(herd_of(2, kCompat));
  world.start();
  world.advance(2min);
  world.provider.retry_after = "1800";
  world.provider.status["sk-world-k1"] = 429;
  world.pause("k2");
  world.advance(2min);
  CHECK(world.state("k1") == KeyState::throttled);
  const auto before = world.provider.probes;
  world.advance(20min);
  CHECK(world.provider.probes == before);
  CHECK(skipped(world, kCooldown) >= 25);
  CHECK(skipped(world, kDisabled) >= 15);
}

TEST_CASE("the first probes of a herd are kept apart") {
  World world(herd_of(20, kCompat));
  world.start();
  world.advance(500ms);
  CHECK(world.provider.probes <= 8);
  world.advance(3s);
  for (int i = 1; i <= 20; ++i)
    CHECK(world.state("k" + std::to_string(i)) == KeyState::healthy);
  // That was meant, and is no delay.
  const auto& delays = world.snapshot()->agent.schedule_delay;
  CHECK(delays.buckets.back() >= 20);
  CHECK(delays.buckets.front() == delays.buckets.back());
}

TEST_CASE("a restart asks nobody to prove again what was proven before it") {
  World world(herd_of(1, kCompat));
  world.start();
  world.advance(3min);
  CHECK(probes_of(world, "k1", ProbeKind::chat) == 1);
  world.start();
  world.advance(3min);
  CHECK(probes_of(world, "k1", ProbeKind::chat) == 1);
}

TEST_CASE("a key that is left alone on purpose is not said to be no longer probed") {
  World world(herd_of(5, kCompat));
  world.provider.status["sk-world-k1"] = 401;
  world.transport.set_rule([&](const RecordedRequest& request) -> Result<net::HttpResponse> {
    net::HttpResponse response;
    response.body = R"({"error":{"message":"later"}})";
    if (request.secret == "sk-world-k2") {
      response.status = 429;
      response.headers.emplace("retry-after", "10800");
    } else if (request.secret == "sk-world-k3") {
      response.status = 503;
      response.headers.emplace("retry-after", "3600");
    } else {
      return world.provider.answer(request);
    }
    return response;
  });
  world.start();
  world.pause("k5");
  std::map<std::string, int> stale;  // minutes in a row
  for (int minute = 0; minute < 8 * 60; ++minute) {
    world.log_line("k4", 200, 1);
    world.advance(1min);
    world.transport.forget();
    std::map<std::string, int> now;
    for (const auto& finding : notify::find_alerts(*world.snapshot(), world.clock.now().wall))
      if (finding.rule->name == "KeyherdProbeStale")
        now[finding.labels.at("key")] = stale[finding.labels.at("key")] + 1;
    stale = std::move(now);
    for (const auto& [key, count] : stale) {
      CAPTURE(key, minute);
      CHECK(count <= 2);  // as long as the alert waits
    }
  }
  CHECK(world.state("k1") == KeyState::dead);
  CHECK(world.state("k2") == KeyState::throttled);
  CHECK(skipped(world, kRecentEvidence) > 0);
}
