// Days in which people operate pools in all weathers: they rotate, freeze, pause, drill, probe and
// reload, alone and on top of each other, while keys fail, providers are away, the disk is full,
// the state cannot be saved, the clock steps and the agent is restarted. Whatever they do: one
// rotation of a pool at a time, no generation twice, no switch by the agent where a person froze
// the pool, no endpoint asked again and again, and peace once there is peace.

#include <fmt/format.h>

#include <array>
#include <catch2/catch.hpp>

#include "lifetime.hpp"
#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using namespace std::chrono_literals;

namespace {

constexpr int kKeys = 8;
constexpr std::array kPools{"shop", "desk", "night"};

std::string key_named(int number) {
  return "k" + std::to_string(number);
}

// What people change: the pools' keys, strategies and schedules; `night` comes and goes.
std::string config(int variant) {
  std::string text = "[agent]\nstate = \":memory:\"\n[usage_logs.log]\npath = \"usage.jsonl\"\n";
  for (const char* provider : {"p0", "p1"})
    text += fmt::format(
        "[providers.{0}]\ntype = \"deepseek\"\nbase_url = \"https://{0}.test\"\n"
        "probe = {{ every = \"5m\" }}\n",
        provider);
  for (int i = 0; i < kKeys; ++i)
    text +=
        fmt::format("[keys.k{0}]\nprovider = \"p{1}\"\nsecret = \"env:K{0}\"\npriority = {2}\n{3}",
                    i, i % 2, 1 + i % 3, i % 4 == 3 ? "limit_group = \"shared\"\n" : "");
  text += fmt::format(
      "[pools.shop]\nkeys = [{}]\nstrategy = \"{}\"\nschedule = \"*/20 * * * *\"\n"
      "rotate_on = [\"dead\", \"exhausted\", \"throttled\", \"degraded\", \"incident\"]\n"
      "freeze = [{{ start = \"0 12 * * *\", lasts = \"2h\" }}]\n"
      "publish = [{{ file = \"shop.json\" }}]\n",
      variant == 1 ? R"("k0", "k1", "k2")" : R"("k0", "k1", "k2", "k3")",
      variant == 2 ? "least_used" : "round_robin");
  text += fmt::format(
      "[pools.desk]\nkeys = [\"k2\", \"k3\", \"k4\", \"k5\"]\nstrategy = \"priority\"\n"
      "recovery_wait = \"5m\"\nramp = \"{}\"\npublish = [{{ file = \"desk.json\" }}]\n",
      variant == 2 ? "30m" : "0s");
  if (variant != 3)
    text +=
        "[pools.night]\nkeys = [\"k5\", \"k6\", \"k7\"]\nstrategy = \"lowest_latency\"\n"
        "schedule = \"7 * * * *\"\nadopt_within = \"10m\"\npublish = [{ file = \"night.json\" }]\n";
  return text;
}

class Days {
 public:
  explicit Days(std::uint32_t seed) : world_(config(0)), random_(seed) {
    world_.transport.set_rule([this](const RecordedRequest& request) { return reply(request); });
    world_.start();
    world_.advance(5min);
  }

  void live(int days) {
    for (int passed = 0; passed < days * 24 * 60; passed += kStorm + kCalm) {
      for (int i = 0; i < kStorm; ++i) {
        stir();
        operate();
        minute();
      }
      make_peace();
      for (int i = 0; i < kCalm; ++i)
        minute();
      check_peace();
    }
  }

  int acts = 0;
  int reloads = 0;

 private:
  static constexpr int kStorm = 180;  // minutes
  static constexpr int kCalm = 90;
  // Of eight keys: their probes, confirmations and controls, and what rotations verify.
  static constexpr std::size_t kMostRequests = 150;

  bool chance(double share) { return random_.unit() < share; }
  int below(int bound) { return static_cast<int>(random_.next() % static_cast<unsigned>(bound)); }
  std::string some_pool() { return kPools.at(static_cast<std::size_t>(below(kPools.size()))); }
  std::string some_key() { return key_named(below(kKeys)); }

  void stir() {
    constexpr std::array kFates{401, 402, 429, 503, 403, 500, 0};
    for (int i = 0; i < kKeys; ++i) {
      const std::string secret = World::secret_of(key_named(i));
      if (chance(0.004))
        world_.provider.status[secret] = kFates.at(static_cast<std::size_t>(below(kFates.size())));
      else if (chance(0.02))
        world_.provider.status.erase(secret);
    }
    for (int& cloud : clouds_) {
      if (chance(cloud == 0 ? 0.003 : 0.05))
        cloud = cloud != 0 ? 0 : chance(0.5) ? 503 : 401;
    }
    world_.disk_full = chance(world_.disk_full ? 0.8 : 0.005);
    world_.store_fails = chance(world_.store_fails ? 0.7 : 0.005);
    if (chance(0.003))
      world_.clock.step_wall(std::chrono::seconds(below(7'200) - 3'600));
    if (chance(0.005))
      world_.start();
  }

  void operate() {
    if (!chance(0.15))
      return;
    ++acts;
    const std::string pool = some_pool();
    const std::string key = some_key();
    switch (below(8)) {
      case 0:
      case 1: {
        const std::optional<std::string> to = chance(0.5) ? std::optional(key) : std::nullopt;
        call([&](auto& engine, Instant now) {
          return engine.rotate({pool, to, "", "api:admin", false}, now);
        });
        return;
      }
      case 2: {
        model::Freeze freeze{true, std::nullopt, "api:admin", ""};
        if (chance(0.7))
          freeze.until = world_.clock.now().wall + std::chrono::minutes(1 + below(60));
        call([&](auto& engine, Instant now) { return engine.freeze(pool, freeze, now); });
        return;
      }
      case 3:
        call([&](auto& engine, Instant now) { return engine.unfreeze(pool, "api:admin", now); });
        return;
      case 4:
        call([&](auto& engine, Instant now) { return engine.pause(key, "api:admin", now); });
        return;
      case 5:
        call([&](auto& engine, Instant now) { return engine.resume(key, "api:admin", now); });
        return;
      case 6:
        call([&](auto& engine, Instant now) {
          return engine.drill({pool, key, 5min, "api:admin"}, now);
        });
        return;
      default:
        reloads += world_.reload(config(below(4))) ? 1 : 0;
    }
  }

  // People are refused for good reasons here; what comes of it is looked at each minute.
  void call(const std::function<void(engine::Engine&, Instant)>& command) { world_.call(command); }

  void make_peace() {
    world_.provider.status.clear();
    clouds_ = {};
    world_.disk_full = false;
    world_.store_fails = false;
    for (const char* pool : kPools)
      call([&](auto& engine, Instant now) { return engine.unfreeze(pool, "api:admin", now); });
    for (int i = 0; i < kKeys; ++i)
      call(
          [&](auto& engine, Instant now) { return engine.resume(key_named(i), "api:admin", now); });
  }

  // A minute of traffic with what is published, and what must hold after it.
  void minute() {
    for (const char* pool : kPools) {
      const std::string path = std::string(pool) + ".json";
      if (!world_.files.exists(path))
        continue;
      const std::string key = world_.file(path)["key"];
      for (int i = 0; i < 3; ++i)
        world_.log_line(key, status_of(std::stoi(key.substr(1))), 1);
    }
    world_.transport.forget();
    const auto frozen = frozen_by_hand();
    world_.advance(1min);
    CHECK(world_.transport.requests().size() <= kMostRequests);
    for (const auto& view : world_.snapshot()->pools)
      check(*view, frozen);
  }

  std::set<std::string> frozen_by_hand() {
    std::set<std::string> found;
    for (const auto& view : world_.snapshot()->pools) {
      const auto& freeze = view->freeze;
      if (freeze && freeze->by_hand &&
          (!freeze->until || *freeze->until > world_.clock.now().wall + 1min))
        found.insert(view->pool.id);
    }
    return found;
  }

  void check(const model::PoolView& view, const std::set<std::string>& frozen) {
    const std::string& pool = view.pool.id;
    const model::PoolState& state = view.state;
    Seen& seen = seen_[pool];
    const auto rows = world_.store->rotations(pool, 30).value();
    const auto running = std::count_if(rows.begin(), rows.end(), [](const model::Rotation& row) {
      return rotation::is_in_progress(row);
    });
    CAPTURE(pool, state.active, state.generation, seen.generation, view.problem,
            format_rfc3339(world_.clock.now().wall));
    CHECK(running <= 1);
    CHECK(state.generation >= seen.generation);
    if (state.generation == seen.generation)
      CHECK(state.active == seen.active);
    const std::string path = pool + ".json";
    if (running == 0 && world_.files.exists(path) && !world_.disk_full && !world_.store_fails) {
      const auto file = world_.file(path);
      if (file["generation"] == state.generation)
        CHECK(file["key"] == state.active);
    }
    // A rotation that had begun goes on; none begins.
    if (frozen.contains(pool) && seen.frozen) {
      for (const model::Rotation& row : rows) {
        CAPTURE(row.id, row.reason);
        CHECK((row.actor != "agent" || seen.rows.contains(row.id)));
      }
    }
    seen.generation = state.generation;
    seen.active = state.active;
    seen.frozen = frozen.contains(pool);
    seen.rows.clear();
    for (const model::Rotation& row : rows)
      seen.rows.insert(row.id);
  }

  void check_peace() {
    for (const auto& view : world_.snapshot()->pools) {
      CAPTURE(view->pool.id, view->problem, view->state.active);
      REQUIRE_FALSE(view->state.active.empty());
      CHECK(world_.state(view->state.active) == model::KeyState::healthy);
      CHECK(view->problem.empty());
      const auto file = world_.file(view->pool.id + ".json");
      CHECK(file["key"] == view->state.active);
      CHECK(file["generation"] == view->state.generation);
    }
  }

  int status_of(int number) const {
    if (const int cloud = clouds_.at(static_cast<std::size_t>(number % 2)); cloud != 0)
      return cloud;
    const auto found = world_.provider.status.find(World::secret_of(key_named(number)));
    return found == world_.provider.status.end() ? 200 : found->second == 0 ? 504 : found->second;
  }

  Result<net::HttpResponse> reply(const RecordedRequest& request) {
    const std::string prefix = World::secret_of("k");
    if (!request.secret.starts_with(prefix))
      return world_.provider.answer(request);
    const int number = std::stoi(request.secret.substr(prefix.size()));
    const int status = status_of(number);
    if (status == 504)
      return fail(ErrorCode::timeout, "no answer within 10 s");
    if (status == 200)
      return world_.provider.answer_well(request);
    return told_off(status);
  }

  struct Seen {
    std::int64_t generation = 0;
    std::string active;
    bool frozen = false;
    std::set<std::string> rows;
  };

  World world_;
  SeededRandom random_;
  std::array<int, 2> clouds_{};
  std::map<std::string, Seen> seen_;
};

}  // namespace

// Two days of three chances; or as many as KEYHERD_POOL_DAYS says of the one of KEYHERD_POOL_SEED.
TEST_CASE("whatever people do to pools in whatever weather, each has one truth, and comes to peace",
          "[simulation][operated]") {
  const auto [days, seed, is_long] = GENERATE(from_range(lives(3, 2)));
  Days lived(seed);
  lived.live(days);
  if (is_long)
    WARN(lived.acts << " acts, " << lived.reloads << " reloads in " << days << " days");
  CHECK(lived.acts > 50 * days);
  CHECK(lived.reloads > days);
}
