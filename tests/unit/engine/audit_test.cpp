// What the audit log tells of an agent's life, and that it holds up nothing.

#include <catch2/catch.hpp>
#include <set>

#include "engine/timeline.hpp"
#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using namespace std::chrono_literals;
using model::AuditAct;

namespace {

std::string audited_config(const std::string& pool = "") {
  return R"(
[agent]
state = ":memory:"
[providers.p]
type = "deepseek"
[keys.k1]
provider = "p"
secret = "env:K1"
priority = 2
[keys.k2]
provider = "p"
secret = "env:K2"
[pools.prod]
keys = ["k1", "k2"]
schedule = "0 3 * * *"
publish = [{ file = "prod.json" }]
)" + pool +
         R"(
[usage_logs.log]
path = "usage.jsonl"
)";
}

// "act actor pool/key: text" of every entry from that number on.
std::vector<std::string> told(const World& world, std::size_t from = 0) {
  std::vector<std::string> lines;
  const auto entries = world.audited();
  for (std::size_t i = from; i < entries.size(); ++i) {
    const auto& entry = entries[i];
    lines.push_back(std::string(to_string(entry.act)) + " " + entry.actor + " " + entry.pool + "/" +
                    entry.key + ": " + entry.text);
  }
  return lines;
}

bool has(const std::vector<std::string>& lines, const std::string& what) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const auto& line) { return line.find(what) != std::string::npos; });
}

void rotate(World& world, const std::string& to, bool dry_run = false) {
  world.call([&](engine::Engine& engine, Instant now) {
    engine.rotate({"prod", to, "a leak", "api:operate:alice", dry_run}, now);
  });
}

}  // namespace

TEST_CASE("a rotation by hand is told with who wanted it, why, and each step") {
  World world(audited_config());
  world.start();
  world.advance(1min);
  const auto before = world.audited().size();
  rotate(world, "k2");
  world.advance(10s);
  REQUIRE(world.active("prod") == "k2");
  const auto lines = told(world, before);
  INFO(Catch::StringMaker<std::vector<std::string>>::convert(lines));
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] == "decided api:operate:alice prod/k2: from k1 to k2 (manual): a leak");
  CHECK(lines[1] == "step agent prod/k2: staged: a probe of it was ok");
  CHECK(lines[2] == "step agent prod/k2: published");
  CHECK(lines[3] == "step agent prod/k2: verified: a probe of it was ok once it was live");
  CHECK(lines[4] == "step agent prod/k2: committed");
  const std::set<std::string> ids = [&] {
    std::set<std::string> found;
    for (const auto& entry : world.audited())
      found.insert(entry.rotation);
    return found;
  }();
  CHECK(ids.contains(world.pool("prod").state.last_rotation));
}

TEST_CASE("refusals are told with the guard, once, and dry runs not at all") {
  World world(audited_config());
  world.start();
  world.advance(1min);
  const auto before = world.audited().size();
  rotate(world, "k1", true);
  CHECK(told(world, before).empty());
  rotate(world, "k1");
  REQUIRE(told(world, before).size() == 1);
  CHECK(
      told(world, before)[0] ==
      "refused api:operate:alice prod/k1: by the guard already_active: pool prod: k1 is the active "
      "key already (wanted: a leak)");
  world.provider.status["sk-world-k2"] = 401;
  world.advance(10min);
  world.provider.status["sk-world-k1"] = 401;
  world.advance(1h);
  int refused = 0;
  for (const auto& entry : world.audited())
    refused += entry.act == AuditAct::refused && entry.actor == "agent" ? 1 : 0;
  CHECK(refused >= 1);
  CHECK(refused <= 3);  // not once a look
}

TEST_CASE("acts by hand, incidents, failed effects and missed firings are told") {
  World world(audited_config());
  world.start();
  world.advance(1min);
  world.pause("k2");
  world.call([](engine::Engine& engine, Instant now) {
    CHECK(engine.resume("k2", "api:admin", now));
    engine.probe("k2", "api:operate", now);
    CHECK(engine.freeze("prod", {true, now.wall + 1h, "api:operate", "migration"}, now));
    CHECK(engine.unfreeze("prod", "api:operate", now));
  });
  CHECK(has(told(world), "paused test /k2"));
  CHECK(has(told(world), "resumed api:admin /k2"));
  CHECK(has(told(world), "probed api:operate /k2"));
  CHECK(has(told(world), "frozen api:operate prod/: until "));
  CHECK(has(told(world), ": migration"));
  CHECK(has(told(world), "unfrozen api:operate prod/"));
  world.advance(2min);
  world.files.fault = [](std::string_view operation, const std::string&) -> Status {
    return operation == "write_atomic" ? Status(fail(ErrorCode::no_space, "the disk is full"))
                                       : Status();
  };
  rotate(world, "k2");
  world.advance(1min);
  CHECK(has(told(world), "failed agent prod/k2: publishing: "));
  CHECK(has(told(world), "rolled_back: nothing was changed"));
  world.files.fault = {};
  world.provider.outage = 503;
  world.advance(20min);
  world.provider.outage = 0;
  world.advance(20min);
  CHECK(has(told(world), "incident agent /: "));
  CHECK(has(told(world), "incident_over agent /: "));
  // The agent is away for three of its firings.
  world.clock.advance(3 * 24h + 2h);
  world.start();
  world.advance(1min);
  CHECK(has(told(world), "missed agent prod/: 3 firings of 0 3 * * *"));
  int starts = 0;
  for (const auto& entry : world.audited())
    starts += entry.act == AuditAct::started ? 1 : 0;
  CHECK(starts == 2);
}

TEST_CASE("numbers go on over restarts, without a gap") {
  World world(audited_config());
  for (int i = 0; i < 5; ++i) {
    world.start();
    world.advance(1min);
    rotate(world, i % 2 == 0 ? "k2" : "k1");
    world.advance(2min);
  }
  const auto entries = world.audited();
  REQUIRE(entries.size() > 20);
  for (std::size_t i = 0; i < entries.size(); ++i)
    CHECK(entries[i].seq == static_cast<std::int64_t>(i) + 1);
  CHECK(world.store->load()->audit.empty());
}

TEST_CASE("an audit log that cannot be written holds nothing up and is written later") {
  World world(audited_config());
  world.start();
  world.advance(1min);
  world.audit_log_fails = true;
  const auto before = world.audited().size();
  world.provider.status["sk-world-k1"] = 401;
  world.advance(5min);
  CHECK(world.active("prod") == "k2");
  CHECK(world.audited().size() == before);
  REQUIRE(world.snapshot()->agent.audit);
  CHECK(world.snapshot()->agent.audit->waiting > 3);
  CHECK(world.snapshot()->agent.audit->failures > 1);
  CHECK(world.snapshot()->agent.ready);
  SECTION("by the same process") {}
  SECTION("by the next one") {
    world.start();
  }
  world.audit_log_fails = false;
  world.advance(3min);
  CHECK(world.snapshot()->agent.audit->waiting == 0);
  CHECK(has(told(world, before), "decided agent prod/k2: from k1 to k2 (invalid_key)"));
  const auto entries = world.audited();
  for (std::size_t i = 0; i < entries.size(); ++i)
    CHECK(entries[i].seq == static_cast<std::int64_t>(i) + 1);
}

TEST_CASE("more entries than may wait are dropped, counted and confessed") {
  World world(audited_config());
  world.start();
  world.audit_log_fails = true;
  world.call([](engine::Engine& engine, Instant now) {
    for (int i = 0; i < 10'500; ++i)
      engine.note({.act = AuditAct::probed, .key = "k1"}, now);
  });
  world.advance(1s);
  CHECK(world.snapshot()->agent.audit->dropped > 400);
  world.audit_log_fails = false;
  world.advance(3min);
  CHECK(world.snapshot()->agent.audit->waiting == 0);
  CHECK(has(told(world), "entries were dropped: too many waited"));
}

// Every effect, and every commit, is where the process may die: afterwards the log has each number
// once, and every switch of the journal.
TEST_CASE("an agent that dies at any effect leaves no entry out and none twice") {
  struct Died {};
  for (int die_at = 1; die_at < 60; ++die_at) {
    CAPTURE(die_at);
    World world(audited_config());
    int effects = 0;
    world.start();
    world.advance(1min);
    world.effect = [&] {
      if (++effects == die_at)
        throw Died{};
    };
    try {
      rotate(world, "k2");
      world.advance(1min);
    } catch (const Died&) {
      world.effect = [] {};
      world.start();
      world.advance(1min);
    }
    world.effect = [] {};
    const auto entries = world.audited();
    for (std::size_t i = 0; i < entries.size(); ++i)
      CHECK(entries[i].seq == static_cast<std::int64_t>(i) + 1);
    const auto rotations = world.store->rotations("prod", 10).value();
    for (const model::Rotation& row : rotations) {
      const auto steps = std::count_if(entries.begin(), entries.end(), [&](const auto& entry) {
        return entry.rotation == row.id &&
               (entry.act == AuditAct::step || entry.act == AuditAct::decided);
      });
      CHECK(steps == static_cast<std::ptrdiff_t>(row.steps.size()));
    }
  }
}

TEST_CASE("a timeline joins probes, states, usage, rotations and decisions by time") {
  World world(audited_config());
  world.start();
  world.advance(10min);
  const WallTime from = world.clock.now().wall;
  for (int i = 0; i < 30; ++i) {
    world.log_line("k1", i < 20 ? 200 : 401, 100);
    world.advance(1s);
  }
  world.provider.status["sk-world-k1"] = 401;
  world.advance(5min);
  world.pause("k2");
  world.advance(1min);
  const api::TimelineQuestion question{from, world.clock.now().wall, "prod", {"k1", "k2"}};
  const auto events = engine::join(engine::recorded_events(*world.store, question).value(),
                                   engine::decided_events(*world.journal, question).value());
  std::vector<std::string> lines;
  for (const auto& event : events) {
    lines.push_back(event.what + " " + event.pool + "/" + event.key + ": " + event.text);
    CHECK(event.at >= from - model::kBucketWidth);  // usage is told from its quarter on
  }
  INFO(Catch::StringMaker<std::vector<std::string>>::convert(lines));
  CHECK(std::is_sorted(events.begin(), events.end(),
                       [](const auto& a, const auto& b) { return a.at < b.at; }));
  CHECK(has(lines, "log /k1: invalid_key"));
  CHECK(has(lines, "probe /k2: ok (HTTP 200) (4 times, until "));
  CHECK(has(lines, "state /k1: healthy → dead"));
  CHECK(has(lines, "rotation prod/k2: from k1 to k2: planned: k1 is dead"));
  CHECK(has(lines, "rotation prod/k2: committed"));
  CHECK(has(lines, "usage /k1: from here on: "));
  CHECK(has(lines, "10 failed (33.3 %)"));
  CHECK(has(lines, "paused /k2"));
  CHECK(has(lines, "refused prod/: by the guard "));
  CHECK_FALSE(has(lines, "step "));
}
