// Rotations among spares that people made: Anthropic's are set inactive, others are revoked by a
// person, and whatever is not ours stays.

#include <catch2/catch.hpp>

#include "sandbox/sandbox.hpp"
#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::KeyState;
using model::RotationState;
using std::chrono::hours;
using std::chrono::minutes;

namespace {

class Spares {
 public:
  explicit Spares(const std::string& pool, const std::string& key = "")
      : wire_(net::make_http_transport({})) {
    sandbox::SandboxOptions options;
    options.faces = {
        {.name = "alpha", .outages = {}, .open = {}, .admin_secret = "sk-admin-secret"}};
    for (const char* id : {"s1", "s2"})
      options.keys.push_back(
          {.id = id, .face = "alpha", .secret = World::secret_of(id), .account = {}, .life = {}});
    sandbox = sandbox::Sandbox::start(std::move(options), clock).value();
    const std::string url = sandbox->base_url("alpha");
    std::string text = "[providers.p]\ntype = \"deepseek\"\nbase_url = \"" + url +
                       "\"\nprobe = { every = \"5m\", timeout = \"5s\" }\n"
                       "[issuers.office]\ntype = \"anthropic\"\nadmin_secret = \"env:ADMIN\"\n"
                       "base_url = \"" +
                       url + "\"\n";
    for (const std::string id : {"s1", "s2"})
      text += "[keys." + id + "]\nprovider = \"p\"\nsecret = \"env:" + id + "\"\n" +
              (key.empty() ? "" : "provider_key_id = \"apikey_" + id + "\"\n" + key);
    text +=
        "[pools.prod]\nkeys = [\"s1\", \"s2\"]\nstrategy = \"round_robin\"\noverlap = \"30m\"\n"
        "publish = [{ file = \"prod.json\" }]\n" +
        pool;
    world = std::make_unique<World>(text);
    world->wire = wire_.get();
    world->start();
    world->advance(minutes(5));
  }

  void rotate() {
    world->call([](engine::Engine& engine, Instant now) {
      engine.rotate({"prod", std::nullopt, "a test", "admin", false}, now);
    });
  }
  [[nodiscard]] model::Rotation last() const { return world->store->rotations("prod", 1)->at(0); }

  ManualClock clock;
  std::unique_ptr<sandbox::Sandbox> sandbox;
  std::unique_ptr<World> world;

 private:
  std::unique_ptr<net::Transport> wire_;
};

const std::string kDeactivate = "mode = \"deactivate\"\nissuer = \"office\"\n";

}  // namespace

TEST_CASE(
    "Anthropic's last key is set inactive once the overlap is over, and refused from then on") {
  Spares spares(kDeactivate, "managed = true\n");
  REQUIRE(spares.world->active("prod") == "s1");
  spares.rotate();
  spares.world->advance(minutes(5));
  CHECK(spares.world->active("prod") == "s2");
  CHECK(spares.last().state == RotationState::retiring);
  CHECK(spares.sandbox->admin_counts("alpha").ended == 0);
  spares.world->advance(hours(1));
  CHECK(spares.last().state == RotationState::retired);
  CHECK(spares.sandbox->admin_counts("alpha").ended == 1);
  // Out of service on purpose, not dead.
  CHECK(spares.world->state("s1") == KeyState::paused);
}

TEST_CASE("a key that is not managed is never ended, and the journal says why") {
  Spares spares(kDeactivate);
  spares.rotate();
  spares.world->advance(hours(3));
  CHECK(spares.world->active("prod") == "s2");
  CHECK(spares.last().state == RotationState::committed);
  CHECK(spares.last().steps.back().note.find("s1 stays valid") != std::string::npos);
  CHECK(spares.sandbox->admin_counts("alpha").ended == 0);
  CHECK(spares.world->state("s1") == KeyState::healthy);
}

TEST_CASE("without an API a person is asked, and the last key is probed until it is refused") {
  Spares spares("mode = \"guided\"\n");
  spares.rotate();
  spares.world->advance(hours(2));
  CHECK(spares.last().state == RotationState::retiring);
  CHECK(spares.world->pool("prod").problem.find("revoke s1 at its provider") == 0);
  REQUIRE(spares.sandbox->set_key_state("s1", "revoked"));
  spares.world->advance(minutes(15));
  CHECK(spares.last().state == RotationState::retired);
  CHECK(spares.world->pool("prod").problem.empty());
  CHECK(spares.world->state("s1") == KeyState::paused);
  CHECK(spares.world->state("s2") == KeyState::healthy);
}

TEST_CASE("a guided rotation goes on after a restart while it waits for a person") {
  Spares spares("mode = \"guided\"\n");
  spares.rotate();
  spares.world->advance(hours(1));
  REQUIRE(spares.last().state == RotationState::retiring);
  spares.world->start();
  spares.world->advance(minutes(15));
  CHECK(spares.last().state == RotationState::retiring);
  REQUIRE(spares.sandbox->set_key_state("s1", "revoked"));
  spares.world->advance(minutes(15));
  CHECK(spares.last().state == RotationState::retired);
}
