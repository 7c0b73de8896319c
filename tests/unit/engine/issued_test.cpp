// Rotations by issued secrets, against the sandbox's administration as the providers document it.

#include "office.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::RotationState;
using std::chrono::minutes;

namespace {

std::vector<RotationState> path_of(const model::Rotation& rotation) {
  std::vector<RotationState> path;
  for (const auto& step : rotation.steps)
    path.push_back(step.state);
  return path;
}

// One key works and is known, everything else that was made is ended.
void check_no_orphan(const Office& office) {
  const auto counts = office.counts();
  CHECK(counts.live.size() == 1);
  CHECK(counts.ended == counts.made - 1);
  REQUIRE(office.has_file());
  const std::string secret = office.world->file("prod.json")["secret"];
  CHECK(office.world->keyring->get(office.world->active("prod")).value() == Secret(secret));
  for (const auto& [name, credential] : office.credentials()) {
    CAPTURE(name, model::to_string(credential.state), credential.note);
    CHECK(credential.state == model::CredentialState::live);
  }
}

}  // namespace

TEST_CASE("a first secret is made, proven, sealed and published") {
  Office office;
  office.start();
  office.run(minutes(2));
  CHECK(office.counts().made == 1);
  CHECK(office.world->active("prod") == "a");
  CHECK(office.world->state("a") == model::KeyState::healthy);
  const auto rotation = office.rotations().at(0);
  CHECK(rotation.state == RotationState::committed);
  CHECK(rotation.mode == model::RotationMode::provision);
  CHECK(path_of(rotation) == std::vector{RotationState::planned, RotationState::minted,
                                         RotationState::staged, RotationState::published,
                                         RotationState::verified, RotationState::committed});
  CHECK(office.counts().live == std::vector<std::string>{rotation.credential});
  check_no_orphan(office);
}

TEST_CASE("a rotation makes the next secret, waits for its users, and ends the last one once") {
  Office office;
  office.open();
  office.rotate();
  office.run(minutes(10));
  // Consumers follow at once; for the overlap both work.
  CHECK(office.world->active("prod") == "b");
  CHECK(office.counts().live.size() == 2);
  CHECK(office.rotations().at(0).state == RotationState::retiring);
  office.run(minutes(60));
  CHECK(office.rotations().at(0).state == RotationState::retired);
  check_no_orphan(office);
  CHECK(office.counts().made == 2);
  CHECK(office.counts().ended == 1);
  CHECK(office.world->state("b") == model::KeyState::healthy);
  CHECK_FALSE(office.world->key("a").secret_loaded);
  // And round again, into the slot that is free now.
  office.rotate();
  office.run(minutes(80));
  CHECK(office.world->active("prod") == "a");
  CHECK(office.counts().made == 3);
  check_no_orphan(office);
  CHECK(office.failed_calls == 0);
  CHECK(office.calls > 50);
}

TEST_CASE(
    "wherever the process dies, one new key lives, the old one is ended once, no call fails") {
  int effects = 0;
  {
    Office office;
    office.whole_life();
    check_no_orphan(office);
    effects = office.effects;
  }
  REQUIRE(effects > 40);
  int rotated = 0;
  for (int die_at = 1; die_at <= effects; ++die_at) {
    CAPTURE(die_at);
    Office office;
    office.die_at = die_at;
    office.whole_life();
    REQUIRE(office.deaths == 1);
    REQUIRE(office.failed_calls == 0);
    REQUIRE(office.counts().live.size() == 1);
    REQUIRE(office.counts().ended == office.counts().made - 1);
    check_no_orphan(office);
    for (const auto& rotation : office.rotations()) {
      CAPTURE(rotation.id, model::to_string(rotation.state), rotation.steps.back().note);
      REQUIRE(model::is_final(rotation.state));
      REQUIRE(rotation.state != RotationState::needs_human);
      rotated += rotation.state == RotationState::retired ? 1 : 0;
    }
  }
  // The rotation that was asked for just where the process died may be lost with it, no more.
  CHECK(rotated >= effects - 4);
}

TEST_CASE(
    "every administration API carries a rotation from the first secret to the end of the last") {
  const std::vector<std::pair<std::string, std::string>> kIssuers{
      {"litellm", ""},
      {"openai", "owner = \"proj_1\"\n"},
      {"xai", "owner = \"team\"\n"},
      {"newapi", "owner = \"42\"\n"}};
  for (const auto& [type, more] : kIssuers) {
    CAPTURE(type);
    Office office("mode = \"provision\"", "type = \"" + type + "\"\n" + more);
    office.watching = false;
    office.whole_life();
    CHECK(office.rotations().at(0).state == RotationState::retired);
    CHECK(office.counts().made == 2);
    check_no_orphan(office);
  }
}

TEST_CASE("Azure's two slots take turns, and the last one is regenerated when it is idle") {
  Office office(
      "mode = \"slot\"",
      "type = \"azure\"\nowner = "
      "\"/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a\"\n");
  office.whole_life();
  const auto rotation = office.rotations().at(0);
  CAPTURE(rotation.steps.back().note);
  CHECK(rotation.state == RotationState::retired);
  CHECK(office.world->active("prod") == "b");
  // The idle slot has a secret again, ready for the next turn.
  CHECK(office.world->key("a").secret_loaded);
  CHECK(office.failed_calls == 0);
}

TEST_CASE("a reply that was lost, a refusal of a minute: one live key all the same") {
  for (const auto fault : {sandbox::AdminFault::lose, sandbox::AdminFault::refuse}) {
    for (const bool at_making : {true, false}) {
      CAPTURE(sandbox::to_string(fault), at_making);
      Office office;
      office.watching = false;
      sandbox::AdminPlan plan;
      plan.fault = fault;
      plan.at_making = at_making;
      plan.times = 1;
      office.start();
      office.run(minutes(5));
      office.sandbox->set_admin_plan("alpha", plan);
      office.rotate();
      office.run(minutes(60));
      CHECK(office.rotations().at(0).state == RotationState::retired);
      check_no_orphan(office);
    }
  }
}

TEST_CASE("a secret that cannot spend is not published, and the old one serves on") {
  Office office;
  office.open();
  sandbox::AdminPlan plan;
  plan.broke = true;
  office.sandbox->set_admin_plan("alpha", plan);
  office.rotate();
  office.run(minutes(60));
  CHECK(office.rotations().at(0).state == RotationState::rolled_back);
  CHECK(office.world->active("prod") == "a");
  CHECK(office.failed_calls == 0);
  check_no_orphan(office);
}

TEST_CASE("a secret that settles half a minute after it was made is waited for") {
  Office office;
  office.open();
  sandbox::AdminPlan plan;
  plan.settles_after = std::chrono::seconds(30);
  office.sandbox->set_admin_plan("alpha", plan);
  office.rotate();
  office.run(minutes(60));
  CHECK(office.rotations().at(0).state == RotationState::retired);
  CHECK(office.counts().made == 2);
  check_no_orphan(office);
}

TEST_CASE("while the old key is used it is not ended, and the pool says so") {
  Office office;
  office.watching = false;
  office.open();
  office.rotate();
  for (int minute = 0; minute < 90; ++minute) {
    office.world->log_line("a", 200, 10);
    office.run(minutes(1));
  }
  CHECK(office.rotations().at(0).state == RotationState::retiring);
  CHECK(office.counts().live.size() == 2);
  CHECK(office.world->pool("prod").problem.find("a is still used") == 0);
  office.run(minutes(20));
  CHECK(office.rotations().at(0).state == RotationState::retired);
  check_no_orphan(office);
}

TEST_CASE("consumers that do not follow take the pool back, and the new secret ends") {
  Office office;
  office.watching = false;
  office.open();
  office.consumes = false;
  office.rotate();
  for (int minute = 0; minute < 20; ++minute) {
    office.world->log_line("a", 200, 10);
    office.run(minutes(1));
  }
  CHECK(office.rotations().at(0).state == RotationState::rolled_back);
  CHECK(office.world->active("prod") == "a");
  CHECK(office.world->file("prod.json")["key"] == "a");
  office.consumes = true;
  office.run(minutes(60));
  check_no_orphan(office);
}

TEST_CASE("a key that dies in the overlap is left for the old one, which is then not ended") {
  Office office;
  office.watching = false;
  office.open();
  office.rotate();
  office.run(minutes(5));
  REQUIRE(office.world->active("prod") == "b");
  REQUIRE(office.sandbox->set_key_state("issued-2", "revoked"));
  for (int i = 0; i < 6; ++i)
    office.world->log_line("b", 401);
  office.run(minutes(5));
  CHECK(office.world->active("prod") == "a");
  office.run(minutes(60));
  CHECK(office.world->active("prod") == "a");
  const auto live = office.counts().live;
  CHECK(std::count(live.begin(), live.end(), office.rotations().back().credential) == 1);
}

TEST_CASE("a key that was left because it is refused is ended at once, for the next secret") {
  Office office;
  office.watching = false;
  office.open();
  for (const char* lost : {"issued-1", "issued-2"}) {
    const std::string dead = office.world->active("prod");
    REQUIRE(office.sandbox->set_key_state(lost, "revoked"));
    office.consumes = false;
    for (int i = 0; i < 6; ++i)
      office.world->log_line(dead, 401);
    office.run(minutes(1));
    office.consumes = true;
    office.run(minutes(2));
    CHECK(office.world->active("prod") != dead);
    CHECK(office.rotations().at(0).state == RotationState::retired);
    check_no_orphan(office);
  }
  CHECK(office.counts().made == 3);
}

TEST_CASE("a new secret that cannot be published is ended, but not while nothing else works") {
  Office office;
  office.watching = false;
  office.open();
  office.world->disk_full = true;
  office.rotate();
  office.run(minutes(5));
  CHECK(office.rotations().at(0).state == RotationState::rolled_back);
  CHECK(office.world->active("prod") == "a");
  CHECK_FALSE(office.world->key("b").secret_loaded);
  check_no_orphan(office);

  office.consumes = false;
  REQUIRE(office.sandbox->set_key_state("issued-1", "revoked"));
  for (int i = 0; i < 6; ++i)
    office.world->log_line("a", 401);
  office.run(minutes(10));
  CHECK(office.world->state("b") == model::KeyState::healthy);
  CHECK(office.counts().made == 3);
  office.world->disk_full = false;
  office.consumes = true;
  office.run(minutes(5));
  CHECK(office.world->active("prod") == "b");
  CHECK(office.counts().made == 3);
  check_no_orphan(office);
}

TEST_CASE("an overlap that the provider does not keep is over once that is seen") {
  Office office;
  office.open();
  office.rotate();
  office.run(minutes(2));
  REQUIRE(office.world->active("prod") == "b");
  REQUIRE(office.rotations().at(0).state == RotationState::retiring);
  REQUIRE(office.sandbox->set_key_state("issued-1", "revoked"));
  office.run(minutes(8));  // to its next probe, and two more
  CHECK(office.rotations().at(0).state == RotationState::retired);
  CHECK(office.world->active("prod") == "b");
  CHECK(office.failed_calls == 0);
  check_no_orphan(office);
}

TEST_CASE("a key that cannot be ended is told of, and tried on over a restart until it is") {
  Office office;
  office.watching = false;
  office.open();
  sandbox::AdminPlan plan;
  plan.fault = sandbox::AdminFault::refuse;
  plan.at_making = false;
  plan.times = 1'000;
  office.sandbox->set_admin_plan("alpha", plan);
  office.rotate();
  office.run(minutes(4 * 60));
  const auto failures = office.world->pool("prod").failures;
  CHECK(failures[static_cast<std::size_t>(model::RotationFailure::hook)] == 1);
  office.world->start();
  office.run(minutes(4 * 60));
  CHECK(office.rotations().at(0).state == RotationState::retiring);
  CHECK(office.counts().live.size() == 2);
  CHECK(office.world->pool("prod").problem.find("500") != std::string::npos);
  office.sandbox->set_admin_plan("alpha", {});
  office.run(minutes(30));
  CHECK(office.rotations().at(0).state == RotationState::retired);
  check_no_orphan(office);
}
