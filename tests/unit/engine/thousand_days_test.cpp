// Years in the life of pools under weather: keys are revoked, run empty, are throttled and mended,
// providers fail, files cannot be written, the state and the audit log cannot be saved, the clock
// steps, the agent is restarted, consumers use what is published. No pool stays on a key that does
// not work, while another would, for longer than docs/rotation.md says.

#include <catch2/catch.hpp>

#include "lifetime.hpp"
#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using namespace std::chrono_literals;
using model::KeyState;

namespace {

constexpr int kPoolKeys = 9;
constexpr auto kProbedEvery = 10min;
constexpr auto kGlance = 1min;
constexpr auto kSpell = 3h;

enum class Fate { fine, revoked, broke };
enum class Clouds { none, overloaded, refusing };

// docs/rotation.md, "How long a dead key is handed out": a probe, its confirmation, and the switch.
constexpr auto kToNextProbe = kProbedEvery * 12 / 10;
constexpr auto kByProbes = kToNextProbe + 2min;
// The same where a busy consumer's log is read; a glance may come just after it.
constexpr auto kByLogs = 1min + kGlance;

class Years {
 public:
  explicit Years(std::uint32_t seed) : world_(config()), random_(seed) {
    world_.transport.set_rule([this](const RecordedRequest& request) { return reply(request); });
    world_.start();
    world_.advance(30min);
  }

  void live(int days) {
    for (std::chrono::nanoseconds passed{0}; passed < days * 24h; passed += kSpell) {
      turn();
      for (std::chrono::nanoseconds in_spell{0}; in_spell < kSpell; in_spell += kGlance) {
        if (in_spell == 90min)
          calm();
        consume();
        world_.advance(kGlance);
        world_.transport.forget();
        glance();
      }
    }
  }

  int deaths = 0;   // of an active key, on purpose
  int glances = 0;  // in which a pool was held to its promise
  int slow = 0;     // on a dead key for longer than promised
  std::chrono::nanoseconds longest{0};
  std::array<std::chrono::nanoseconds, 2> longest_of{};

 private:
  struct Key {
    Fate fate = Fate::fine;
    SteadyTime since{};
  };
  struct Pool {
    const char* id;
    std::vector<int> keys;
    bool logged;
    bool leaves_incidents;
  };

  // Of `quiet` nobody logs; `busy` is used all the time. Both have keys at two providers.
  const std::vector<Pool> pools_{{"quiet", {0, 1, 2, 3}, false, true},
                                 {"busy", {4, 5, 6, 7, 8}, true, false}};

  static std::string config() {
    std::string text = "[agent]\nstate = \":memory:\"\n";
    for (int p = 0; p < 2; ++p)
      text += "[providers.p" + std::to_string(p) +
              "]\ntype = \"deepseek\"\nbase_url = \"https://p" + std::to_string(p) +
              ".test\"\nprobe = { every = \"10m\" }\n";
    for (int i = 0; i < kPoolKeys; ++i)
      text += "[keys.y" + std::to_string(i) + "]\nprovider = \"p" + std::to_string(i % 2) +
              "\"\nsecret = \"env:Y" + std::to_string(i) +
              "\"\npriority = " + std::to_string(1 + i % 3) + "\n";
    return text + R"(
[pools.quiet]
keys = ["y0", "y1", "y2", "y3"]
strategy = "round_robin"
schedule = "0 3 * * *"
rotate_on = ["dead", "exhausted", "incident"]
publish = [{ file = "quiet.json" }]
[pools.busy]
keys = ["y4", "y5", "y6", "y7", "y8"]
strategy = "priority"
schedule = "30 */7 * * *"
recovery_wait = "20m"
ramp = "1h"
publish = [{ file = "busy.json" }]
[usage_logs.log]
path = "usage.jsonl"
)";
  }

  bool chance(double share) { return random_.unit() < share; }

  void turn() {
    for (Key& key : keys_) {
      if (chance(key.fate == Fate::fine ? 0.03 : 0.3))
        strike(key);
    }
    for (const Pool& pool : pools_) {
      Key& active = keys_[static_cast<std::size_t>(number_of(world_.active(pool.id)))];
      if (active.fate != Fate::fine || !chance(0.15))
        continue;
      strike(active);
      ++deaths;
    }
    for (auto& clouds : clouds_) {
      if (chance(0.05))
        clouds = chance(0.5) ? Clouds::overloaded : Clouds::refusing;
    }
    world_.disk_full = chance(0.03);
    world_.store_fails = chance(0.02);
    world_.audit_log_fails = chance(0.05);
    if (chance(0.03))
      world_.clock.step_wall(
          std::chrono::seconds(static_cast<int>(random_.next() % 7'200) - 3'600));
    if (chance(0.03))
      world_.start();
  }

  void strike(Key& key) {
    key.fate = key.fate == Fate::fine ? (chance(0.6) ? Fate::revoked : Fate::broke) : Fate::fine;
    key.since = world_.clock.now().steady;
  }
  static int number_of(const std::string& key) { return std::stoi(key.substr(1)); }

  void calm() {
    if (clouds_ != std::array<Clouds, 2>{} || world_.disk_full || world_.store_fails)
      calm_since_ = world_.clock.now().steady;
    clouds_ = {};
    world_.disk_full = false;
    world_.store_fails = false;
    world_.audit_log_fails = false;
  }

  // A consumer of the busy pool sends ten requests a minute with what is published.
  void consume() {
    if (!world_.files.exists("busy.json"))
      return;
    const std::string key = world_.file("busy.json")["key"];
    for (int i = 0; i < 10; ++i)
      world_.log_line(key, status_of(number_of(key)), 1);
    lines_ += 10;
    if (lines_ < 2'000)
      return;
    world_.advance(1s);  // the last ones are read first
    world_.files.truncate("usage.jsonl", 0);
    lines_ = 0;
  }

  int status_of(int number) const {
    if (clouds_[static_cast<std::size_t>(number % 2)] != Clouds::none)
      return clouds_[static_cast<std::size_t>(number % 2)] == Clouds::overloaded ? 503 : 401;
    const Fate fate = keys_[static_cast<std::size_t>(number)].fate;
    return fate == Fate::fine ? 200 : fate == Fate::revoked ? 401 : 402;
  }

  // Since when the pool ought to have left its key; nothing: it need not.
  std::optional<SteadyTime> must_leave_since(const Pool& pool, int active) const {
    const Key& key = keys_[static_cast<std::size_t>(active)];
    if (key.fate == Fate::fine || calm_since_ == SteadyTime::max() ||
        (!pool.leaves_incidents && has_incident(active % 2)))
      return std::nullopt;
    const bool other = std::any_of(pool.keys.begin(), pool.keys.end(), [&](int number) {
      return number != active && is_served(number);
    });
    if (!other)
      return std::nullopt;
    return std::max(key.since, calm_since_);
  }

  // It works, and the agent believes so.
  bool is_served(int number) const {
    return keys_[static_cast<std::size_t>(number)].fate == Fate::fine &&
           world_.state("y" + std::to_string(number)) == KeyState::healthy;
  }

  // The agent says that the provider has an incident, in which it leaves no key of it (the same
  // page), and it is right: none that it takes for good is served, or one is for no longer than to
  // its next probe. Keys that were all revoked look like a provider that refuses everybody.
  bool has_incident(int provider) const {
    const auto at = static_cast<std::size_t>(provider);
    return !world_.snapshot()->providers[at]->up &&
           world_.clock.now().steady - unserved_at_[at] <= kToNextProbe;
  }

  void look_at_providers() {
    for (int provider = 0; provider < 2; ++provider) {
      const auto at = static_cast<std::size_t>(provider);
      bool served = false;
      for (int number = provider; number < kPoolKeys; number += 2)
        served = served || (clouds_[at] == Clouds::none && is_served(number));
      if (!served)
        unserved_at_[at] = world_.clock.now().steady;
    }
  }

  void glance() {
    look_at_providers();
    const SteadyTime now = world_.clock.now().steady;
    const bool stormy =
        clouds_ != std::array<Clouds, 2>{} || world_.disk_full || world_.store_fails;
    for (const Pool& pool : pools_) {
      const int active = number_of(world_.active(pool.id));
      auto since = must_leave_since(pool, active);
      // From when on both hold: it does not work, and another would.
      auto& both = both_since_[pool.id];
      if (!since || stormy) {
        both.reset();
        continue;
      }
      if (!both || both->first != active)
        both = {active, std::max(*since, now - kGlance)};
      ++glances;
      const auto so_long = now - both->second;
      const std::chrono::nanoseconds promised =
          pool.logged ? std::chrono::nanoseconds(kByLogs) : std::chrono::nanoseconds(kByProbes);
      auto& most = longest_of[pool.logged ? 1 : 0];
      most = std::max<std::chrono::nanoseconds>(most, so_long);
      CAPTURE(pool.id, active, world_.clock.now().wall.time_since_epoch().count(),
              world_.key("y" + std::to_string(active)).health.why, world_.pool(pool.id).problem);
      CHECK(so_long <= promised);
      slow += so_long > promised ? 1 : 0;
    }
  }

  Result<net::HttpResponse> reply(const RecordedRequest& request) {
    const std::string prefix = World::secret_of("y");
    if (!request.secret.starts_with(prefix))
      return told_off(401);  // a made-up key
    const int number = std::stoi(request.secret.substr(prefix.size()));
    const int status = status_of(number);
    if (status == 200)
      return world_.provider.answer(request);
    const bool clear = clouds_[static_cast<std::size_t>(number % 2)] == Clouds::none;
    if (status == 402 && clear && request.url.ends_with("/models"))
      return world_.provider.answer(request);
    if (status == 402 && clear && request.url.ends_with("/user/balance")) {
      net::HttpResponse response = told_off(200);
      response.body =
          R"({"is_available":false,"balance_infos":[{"currency":"USD","total_balance":"0.00",)"
          R"("granted_balance":"0.00","topped_up_balance":"0.00"}]})";
      return response;
    }
    return told_off(status);
  }

  World world_;
  SeededRandom random_;
  std::array<Key, kPoolKeys> keys_{};
  std::array<Clouds, 2> clouds_{};
  int lines_ = 0;  // in the log
  SteadyTime calm_since_{};
  std::array<SteadyTime, 2> unserved_at_{};  // by provider: when last none of its keys was served
  std::map<std::string, std::optional<std::pair<int, SteadyTime>>> both_since_;
};

}  // namespace

// Twelve days of three chances; or as many as KEYHERD_POOL_DAYS says (ctest -L long: a thousand) of
// the one of KEYHERD_POOL_SEED, or else 5.
TEST_CASE("no pool stays on a key that does not work while another does, for longer than promised",
          "[simulation][pools]") {
  const auto [days, seed, is_long] = GENERATE(from_range(lives(3, 12)));
  Years years(seed);
  years.live(days);
  if (is_long)
    WARN("longest on a dead key: by probes " << years.longest_of[0] / 1s << " s, by logs "
                                             << years.longest_of[1] / 1s << " s; " << years.deaths
                                             << " deaths of active keys in " << days << " days");
  CHECK(years.deaths > days);
  CHECK(years.slow == 0);
}
