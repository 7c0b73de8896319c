// Months in the life of a herd under weather: keys are revoked and mended, accounts run empty and
// are filled, providers throttle, fail, hang and refuse everybody, the clock steps, the agent is
// restarted. At every look each belief must be the truth, once that has stood for as long as
// docs/health.md says it takes to see it.

#include <catch2/catch.hpp>
#include <cstdlib>

#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using namespace std::chrono_literals;
using model::KeyState;

namespace {

constexpr int kWeatherKeys = 12;
constexpr int kWeatherProviders = 2;
constexpr auto kEvery = 30min;
constexpr auto kLook = 10min;
constexpr auto kBlock = 6h;

enum class Truth { fine, revoked, broke, throttled };
enum class Sky { clear, overloaded, silent, refusing, address_limited };

// Kinds 1 to `kinds` in a random order, each once before any comes again: so that even a short life
// sees them all.
class Deck {
 public:
  explicit Deck(int kinds) : kinds_(kinds) {}

  int deal(SeededRandom& random) {
    if (left_.empty())
      for (int kind = 1; kind <= kinds_; ++kind)
        left_.push_back(kind);
    const auto at = left_.begin() + static_cast<std::ptrdiff_t>(random.next() % left_.size());
    const int kind = *at;
    left_.erase(at);
    return kind;
  }

 private:
  const int kinds_;
  std::vector<int> left_;
};

KeyState seen_as(Truth truth) {
  switch (truth) {
    case Truth::fine:
      return KeyState::healthy;
    case Truth::revoked:
      return KeyState::dead;
    case Truth::broke:
      return KeyState::exhausted;
    case Truth::throttled:
      return KeyState::throttled;
  }
  return KeyState::unknown;
}

// How long after a change, or after the provider's last bad weather, the belief must be right.
std::chrono::nanoseconds delay_of(KeyState before, Truth now) {
  constexpr auto kNextProbe = kEvery * 12 / 10 + 1min;
  if (before == KeyState::dead)
    return 72min + 32min +
           kNextProbe;  // an hour and a fifth, then up to 64 proofs, 20 to 24 s apart
  if (before == KeyState::exhausted)
    return 18min + kNextProbe;
  return now == Truth::revoked ? kNextProbe + 1min : kNextProbe;
}

net::HttpResponse answer(int status, std::string body) {
  net::HttpResponse response;
  response.status = status;
  response.latency = 80ms;
  response.body = std::move(body);
  return response;
}

class Weather {
 public:
  explicit Weather(std::uint32_t seed) : world_(config()), random_(seed) {
    world_.transport.set_rule([this](const RecordedRequest& request) { return reply(request); });
    world_.start();
    world_.advance(1h);
  }

  void live(std::chrono::hours time) {
    for (std::chrono::nanoseconds passed{0}; passed < time; passed += kBlock) {
      stir();
      for (std::chrono::nanoseconds in_block{0}; in_block < kBlock; in_block += kLook) {
        if (in_block >= 2h)
          clear_up();
        world_.advance(kLook);
        world_.transport.forget();
        look();
      }
    }
  }

  int incidents = 0;
  // How often a belief was compared with that truth.
  std::array<int, 4> checks{};

 private:
  struct Key {
    Truth truth = Truth::fine;
    KeyState believed = KeyState::unknown;  // when the truth changed
    SteadyTime since{};
    bool ever_revoked = false;
  };

  static std::string config() {
    std::string text = "[agent]\nstate = \":memory:\"\n";
    for (int p = 0; p < kWeatherProviders; ++p)
      text += "[providers.p" + std::to_string(p) +
              "]\ntype = \"deepseek\"\nbase_url = \"https://p" + std::to_string(p) +
              ".test\"\nprobe = { every = \"30m\" }\n";
    for (int i = 0; i < kWeatherKeys; ++i)
      text += "[keys.w" + std::to_string(i) + "]\nprovider = \"p" +
              std::to_string(i % kWeatherProviders) + "\"\nsecret = \"env:W" + std::to_string(i) +
              "\"\n";
    return text;
  }

  bool chance(double share) { return random_.unit() < share; }

  void stir() {
    for (int i = 0; i < kWeatherKeys; ++i) {
      Key& key = keys_[i];
      if (!chance(key.truth == Truth::fine ? 0.04 : 0.4))
        continue;
      key.believed = world_.state("w" + std::to_string(i));
      key.truth = key.truth == Truth::fine ? static_cast<Truth>(falls_.deal(random_)) : Truth::fine;
      key.since = world_.clock.now().steady;
    }
    for (auto& sky : skies_) {
      if (chance(0.1))
        sky = static_cast<Sky>(skies_to_come_.deal(random_));
      incidents += sky != Sky::clear ? 1 : 0;
    }
    if (chance(0.05))
      world_.clock.step_wall(
          std::chrono::seconds(static_cast<int>(random_.next() % 14'400) - 7'200));
    if (chance(0.03))
      world_.start();
  }

  void clear_up() {
    for (int p = 0; p < kWeatherProviders; ++p) {
      if (skies_[p] != Sky::clear)
        clear_since_[p] = world_.clock.now().steady;
      skies_[p] = Sky::clear;
    }
  }

  void look() {
    for (int i = 0; i < kWeatherKeys; ++i) {
      const std::string id = "w" + std::to_string(i);
      const Key& key = keys_[i];
      const int provider = i % kWeatherProviders;
      CAPTURE(id, format_rfc3339(world_.clock.now().wall), world_.key(id).health.why,
              format_rfc3339(*world_.key(id).health.last_probe_at),
              world_.snapshot()->providers.at(static_cast<std::size_t>(provider))->incident);
      if (key.truth != Truth::revoked && key.believed != KeyState::dead)
        CHECK(world_.state(id) != KeyState::dead);
      const SteadyTime stable = std::max(key.since, clear_since_[provider]);
      if (skies_[provider] != Sky::clear ||
          world_.clock.now().steady - stable < delay_of(key.believed, key.truth))
        continue;
      // At the end of a wait a key is believed until it is asked, when its turn comes.
      const auto held = world_.clock.now().wall - world_.key(id).health.since;
      if (held >= 0s && held < 1s)
        continue;
      ++checks[static_cast<std::size_t>(key.truth)];
      CHECK(world_.state(id) == seen_as(key.truth));
    }
  }

  Result<net::HttpResponse> reply(const RecordedRequest& request) {
    const std::string error = R"({"error":{"message":"no","type":"t","code":"c"}})";
    if (!request.secret.starts_with(World::secret_of("w")))
      return answer(401, error);  // a made-up key
    const int number = std::stoi(request.secret.substr(World::secret_of("w").size()));
    switch (skies_[number % kWeatherProviders]) {
      case Sky::clear:
        break;
      case Sky::overloaded:
        return answer(503, error);
      case Sky::silent:
        return fail(ErrorCode::timeout, "reading from the provider: the deadline passed");
      case Sky::refusing:
        return answer(401, error);
      case Sky::address_limited:
        return answer(429, error);
    }
    switch (keys_[number].truth) {
      case Truth::fine:
        return world_.provider.answer(request);
      case Truth::revoked:
        return answer(401, error);
      case Truth::broke:
        return spent(request, error);
      case Truth::throttled: {
        // Out of step with the looks.
        net::HttpResponse response = answer(429, error);
        response.headers.emplace("retry-after", "607");
        return response;
      }
    }
    return answer(500, error);
  }

  // An empty account is still known: its models are listed, its balance is told.
  Result<net::HttpResponse> spent(const RecordedRequest& request, const std::string& error) {
    if (request.url.ends_with("/user/balance"))
      return answer(200,
                    R"({"is_available":false,"balance_infos":[{"currency":"USD","total_balance":)"
                    R"("0.00","granted_balance":"0.00","topped_up_balance":"0.00"}]})");
    return request.url.ends_with("/models") ? world_.provider.answer(request) : answer(402, error);
  }

  World world_;
  SeededRandom random_;
  Deck falls_{3};
  Deck skies_to_come_{4};
  std::array<Key, kWeatherKeys> keys_{};
  std::array<Sky, kWeatherProviders> skies_{};
  std::array<SteadyTime, kWeatherProviders> clear_since_{};
};

}  // namespace

// Ten days in which everything happens, or as many as KEYHERD_WEATHER_DAYS says: ctest -L slow
// lives through a year.
TEST_CASE("whatever the weather, every belief is the truth within its documented delay",
          "[simulation][weather]") {
  const char* long_run = std::getenv("KEYHERD_WEATHER_DAYS");
  const int days = long_run != nullptr ? std::stoi(long_run) : 10;
  Weather weather(long_run != nullptr ? 4U : GENERATE(1U, 2U, 3U));
  weather.live(days * 24h);
  INFO(weather.incidents << " incidents; looks at keys fine, revoked, broke and throttled: "
                         << weather.checks[0] << ' ' << weather.checks[1] << ' '
                         << weather.checks[2] << ' ' << weather.checks[3]);
  // That it was a life, not a promise about it: the sky was not always clear, half of all looks
  // were at keys that were fine, and each kind of trouble was there to be seen for an hour a day
  // and more. Sixty lives of ten days had 2 to 15 incidents, and looks at each kind for 3 to 20
  // hours a day; so it takes no lucky draw, and a kind that is missing fails.
  constexpr int kLooksADay = 24h / kLook;
  CHECK(weather.incidents >= days / 10);
  CHECK(weather.checks[0] > days * kWeatherKeys * kLooksADay / 2);
  for (const int checks : weather.checks)
    CHECK(checks > days * kLooksADay / 24);
}

namespace {

std::string flapping_config() {
  return R"(
[agent]
state = ":memory:"
[providers.p]
type = "deepseek"
[keys.k1]
provider = "p"
secret = "env:K1"
priority = 9
[keys.k2]
provider = "p"
secret = "env:K2"
[keys.k3]
provider = "p"
secret = "env:K3"
[pools.prod]
keys = ["k1", "k2", "k3"]
strategy = "priority"
rotate_on = ["dead", "exhausted", "throttled", "degraded"]
publish = [{ file = "prod.json" }]
[usage_logs.log]
path = "usage.jsonl"
)";
}

}  // namespace

// The preferred key is refused as soon as it is trusted, and served as soon as it is not: by probes
// and in the log, for a day.
TEST_CASE("a flapping key does not turn its pool round and round", "[simulation][weather]") {
  World world(flapping_config());
  world.start();
  world.advance(10min);
  REQUIRE(world.active("prod") == "k1");
  int most_in_an_hour = 0;
  for (int hour = 0; hour < 24; ++hour) {
    const auto before = world.pool("prod").state.generation;
    for (int minute = 0; minute < 60; ++minute) {
      const bool trusted = world.state("k1") == KeyState::healthy;
      world.provider.status["sk-world-k1"] = trusted ? 401 : 200;
      for (int i = 0; i < 4; ++i)
        world.log_line("k1", trusted ? 401 : 200, 1);
      world.advance(1min);
    }
    most_in_an_hour =
        std::max(most_in_an_hour, static_cast<int>(world.pool("prod").state.generation - before));
    CHECK(world.state(world.active("prod")) == KeyState::healthy);
  }
  INFO("most switches in an hour: " << most_in_an_hour);
  CHECK(most_in_an_hour >= 2);   // it did flap
  CHECK(most_in_an_hour <= 20);  // at first; the budget is 30
  // By then it takes 64 proofs to be trusted again: at most three round trips an hour.
  const auto settled = world.pool("prod").state.generation;
  for (int minute = 0; minute < 60; ++minute) {
    world.provider.status["sk-world-k1"] = world.state("k1") == KeyState::healthy ? 401 : 200;
    world.advance(1min);
  }
  CHECK(world.pool("prod").state.generation - settled <= 6);
}

TEST_CASE("an outage of a provider with 100 keys condemns none and raises one alert") {
  std::string config = "[agent]\nstate = \":memory:\"\n[providers.p]\ntype = \"deepseek\"\n";
  for (int i = 0; i < 100; ++i)
    config += "[keys.k" + std::to_string(i) + "]\nprovider = \"p\"\nsecret = \"env:K" +
              std::to_string(i) + "\"\n";
  const int status = GENERATE(503, 500, 401, 429);
  CAPTURE(status);
  World world(config);
  world.start();
  world.advance(10min);
  world.provider.outage = status;
  int alerts = 0;
  bool was_up = true;
  int condemned = 0;
  for (int step = 0; step < 60; ++step) {
    world.advance(1min);
    const bool up = world.snapshot()->providers.front()->up;
    alerts += was_up && !up ? 1 : 0;
    was_up = up;
    for (const auto& view : world.snapshot()->keys)
      condemned +=
          view->health.state == KeyState::dead || view->health.state == KeyState::exhausted;
  }
  CHECK(alerts == 1);
  CHECK_FALSE(was_up);
  CHECK(condemned == 0);
  world.provider.outage = 0;
  world.advance(12min);
  CHECK(world.snapshot()->providers.front()->up);
  for (const auto& view : world.snapshot()->keys)
    CHECK(view->health.state == KeyState::healthy);
}

TEST_CASE("a stated wait is kept through a restart and by whoever is in a hurry") {
  World world(flapping_config());
  world.start();
  world.advance(1min);
  std::vector<std::int64_t> asked;
  world.transport.set_rule([&](const RecordedRequest& request) -> Result<net::HttpResponse> {
    if (request.secret != "sk-world-k2")
      return world.provider.answer(request);
    asked.push_back(world.clock.now().steady.time_since_epoch() / 1s);
    net::HttpResponse response = answer(429, R"({"error":{"message":"slow down"}})");
    response.headers.emplace("retry-after", "3600");
    return response;
  });
  world.advance(10min);
  REQUIRE(asked.size() == 1);
  CHECK(world.state("k2") == KeyState::throttled);
  world.start();
  world.log_line("k2", 401);  // a strike asks for a probe at once: not here
  world.advance(45min);
  CHECK(asked.size() == 1);
  world.advance(30min);
  CHECK(asked.size() == 2);
  CHECK(asked[1] - asked[0] >= 3'600);
}
