#pragma once

// The agent in one thread against the sandbox's administration: a pool whose keys are issued, and a
// consumer that uses whatever is published.

#include <catch2/catch.hpp>
#include <set>

#include "sandbox/sandbox.hpp"
#include "world.hpp"

namespace keyherd::test {

struct ProcessDied {};

class Office {
 public:
  // `pool`: further fields of the pool; `issuer`: fields of the issuer but for its address.
  explicit Office(const std::string& pool = "",
                  const std::string& issuer = R"(type = "openrouter")",
                  const std::string& base = "")
      : wire_(net::make_http_transport({})) {
    sandbox::SandboxOptions options;
    options.faces = {
        {.name = "alpha", .outages = {}, .open = {}, .admin_secret = "sk-admin-secret"}};
    sandbox = sandbox::Sandbox::start(std::move(options), clock).value();
    text = config(pool, issuer, sandbox->base_url("alpha") + base);
    world = std::make_unique<World>(text);
    world->wire = wire_.get();
    world->effect = [this] { at_effect(); };
  }

  // Lets the simulated time pass in minutes, with a consumer that uses what is published, and
  // starts the agent again each time it died.
  void run(std::chrono::minutes minutes) {
    for (auto left = minutes; left > std::chrono::minutes(0); left -= std::chrono::minutes(1)) {
      if (consumes && has_file())
        world->log_line(world->file("prod.json")["key"], 200, 10);
      survive([&] { world->advance(std::chrono::minutes(1)); });
      clock.advance(std::chrono::minutes(1));
    }
  }
  // Until the pool's first secret is made and used.
  void open() {
    start();
    run(std::chrono::minutes(5));
  }
  void start() {
    survive([&] { world->start(); });
  }
  void rotate() {
    survive([&] {
      world->call([](engine::Engine& engine, Instant now) {
        engine.rotate({"prod", std::nullopt, "a test", "admin", false}, now);
      });
    });
  }

  // Whether the configuration was taken over before the process died, if it did.
  bool reload(const std::string& config) {
    bool done = false;
    survive([&] { done = world->reload(config).has_value(); });
    return done;
  }

  [[nodiscard]] bool has_file() const { return world->files.stat("prod.json").has_value(); }
  [[nodiscard]] std::vector<model::Rotation> rotations() const {
    return world->store->rotations("prod", 100).value();
  }
  [[nodiscard]] sandbox::AdminCounts counts() const { return sandbox->admin_counts("alpha"); }
  [[nodiscard]] std::map<std::string, model::Credential> credentials() const {
    return world->store->load()->credentials;
  }

  // A first secret, a rotation, and the end of the first: watched where something happens.
  void whole_life() {
    start();
    run(std::chrono::minutes(2));
    watching = false;
    run(std::chrono::minutes(3));
    if (rotations().empty() || rotations().at(0).state != model::RotationState::committed)
      run(std::chrono::minutes(20));
    watching = true;
    rotate();
    run(std::chrono::minutes(2));
    watching = false;
    run(std::chrono::minutes(26));
    watching = true;  // the overlap of half an hour ends
    run(std::chrono::minutes(4));
    watching = false;
    run(std::chrono::minutes(40));
  }

  // What the consumer has works, at this moment.
  void check_consumer() {
    if (!has_file())
      return;
    failed_calls +=
        call(Secret(world->file("prod.json")["secret"].get<std::string>())) == 200 ? 0 : 1;
    ++calls;
  }

  // What a consumer's request is answered with; 0: with nothing.
  int call(const Secret& secret) {
    net::HttpRequest request;
    request.method = "POST";
    request.url = sandbox->base_url("alpha") + "/chat/completions";
    request.body = R"({"model":"deepseek-flash","messages":[{"role":"user","content":"x"}]})";
    request.secret = &secret;
    const auto answer = wire_->send(request, {});
    return answer ? answer->status : 0;
  }

  ManualClock clock;  // the sandbox's; follows the world's
  std::unique_ptr<sandbox::Sandbox> sandbox;
  std::unique_ptr<World> world;
  std::string text;  // the configuration; the pool comes last
  int die_at = 0;    // the effect at which the process dies; 0: never
  int effects = 0;
  int deaths = 0;
  bool watching = true;  // effects are counted, and the consumer calls at each of them
  bool consumes = true;
  int calls = 0;
  int failed_calls = 0;

 private:
  static std::string config(const std::string& pool, const std::string& issuer,
                            const std::string& url) {
    const auto slot = [&](const std::string& name) {
      return issuer.find("azure") == std::string::npos
                 ? std::string()
                 : "managed = true\nprovider_key_id = \"" + name + "\"\n";
    };
    return R"(
[agent]
master_key = "env:MASTER"
[providers.p]
type = "deepseek"
base_url = ")" +
           url.substr(0, url.find("/alpha")) + R"(/alpha"
probe = { every = "5m", timeout = "5s" }
[issuers.office]
admin_secret = "env:ADMIN"
base_url = ")" +
           url + "\"\n" + issuer + R"(
[keys.a]
provider = "p"
secret = "keyring:a"
)" + slot("key1") +
           R"([keys.b]
provider = "p"
secret = "keyring:b"
)" + slot("key2") +
           R"([usage_logs.clients]
path = "usage.jsonl"
[pools.prod]
keys = ["a", "b"]
issuer = "office"
overlap = "30m"
quiet_for = "10m"
settle_within = "5m"
adopt_within = "15m"
publish = [{ file = "prod.json" }]
)" + (pool.empty() ? std::string("mode = \"provision\"") : pool) +
           "\n";
  }

  void at_effect() {
    if (!watching)
      return;
    check_consumer();
    if (++effects == die_at)
      throw ProcessDied();
  }

  template <class Action>
  void survive(Action action) {
    try {
      action();
    } catch (const ProcessDied&) {
      ++deaths;
      world->start();
    }
  }

  std::unique_ptr<net::Transport> wire_;
};

}  // namespace keyherd::test
