// Weeks in the life of a pool whose keys are issued: the provider's administration refuses, forbids
// and loses answers, makes keys that settle late or cannot spend; somebody revokes keys by hand;
// the provider is away; the process dies between two effects; nothing can be saved, no file be
// written; consumers do not follow; reloads take the pool away and bring it back; the clock steps.
// What the provider made is on record at every moment, all of it but the pool's key is ended once
// it is calm, and whoever uses the published key is served.

#include <fmt/format.h>

#include "lifetime.hpp"
#include "office.hpp"

using namespace keyherd;
using namespace keyherd::test;
using namespace std::chrono_literals;

namespace {

struct Kind {
  const char* mode;
  const char* issuer;
  bool by_name;  // keys are made and ended; else two slots are regenerated
};

constexpr Kind kProvision{"provision", R"(type = "openrouter")", true};
constexpr Kind kSlot{"slot", R"(type = "azure"
owner = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts/a")",
                     false};

class Weeks {
 public:
  Weeks(std::uint32_t seed, const Kind& kind)
      : office_(fmt::format("mode = \"{}\"\nschedule = \"0 */5 * * *\"", kind.mode),
                std::string(kind.issuer) + "\n"),
        random_(seed),
        by_name_(kind.by_name) {
    office_.watching = false;
    office_.consumes = false;
    office_.open();
  }

  void live(int days) {
    for (std::chrono::nanoseconds passed{0}; passed < days * 24h; passed += kStorm + kCalm) {
      stir();
      for (auto left = kStorm; left > 0min; left -= 1min)
        minute(false);
      settle();
      bool alone = !by_name_;
      for (auto gone = 0min; gone < kCalm; gone += 1min) {
        // Refused as all were before, the only key looks like an incident that goes on: as
        // documented, a person rotates.
        if (gone == kPatience && !office_.world->snapshot()->providers.front()->up)
          office_.rotate();
        minute(gone >= kReaction);
        alone = alone || office_.counts().live.size() == 1;
      }
      if (!alone)
        FAIL_CHECK(fmt::format("{} live keys; {}", office_.counts().live.size(), problem()));
      check_record();
    }
  }

  [[nodiscard]] sandbox::AdminCounts counts() const { return office_.counts(); }
  [[nodiscard]] int deaths() const { return office_.deaths; }
  int watched = 0;   // minutes in which the consumer must have been served
  int absences = 0;  // of the pool

 private:
  static constexpr auto kStorm = 120min;
  // An overlap of 30 min, ten of quiet, and what is tried again every ten; twice, for a rotation
  // that was taken back or began in it.
  static constexpr auto kCalm = 180min;
  // To see that a key is revoked (a probe, its confirmation), to wait for one that is on its way,
  // and to make another.
  static constexpr auto kReaction = 25min;

  static constexpr auto kPatience = 10min;

  bool chance(double share) { return random_.unit() < share; }
  int up_to(int most) { return 1 + static_cast<int>(random_.next() % static_cast<unsigned>(most)); }

  void stir() {
    if (chance(0.5)) {
      sandbox::AdminPlan plan;
      plan.fault = static_cast<sandbox::AdminFault>(random_.next() % 4);
      plan.at_making = chance(0.6);
      plan.times = up_to(6);
      plan.settles_after = chance(0.5) ? up_to(8) * 1min : 0min;
      plan.broke = chance(0.15);
      office_.sandbox->set_admin_plan("alpha", plan);
    }
    if (chance(0.2))
      set_outage(chance(0.4)   ? sandbox::Outage::error_503
                 : chance(0.5) ? sandbox::Outage::unauthorized
                               : sandbox::Outage::drop);
    office_.world->disk_full = chance(0.1);
    office_.world->store_fails = chance(0.1);
    follows_ = !chance(0.15);
    if (chance(0.3)) {
      office_.watching = true;
      office_.die_at = office_.effects + up_to(12);
    }
    if (chance(0.05))
      office_.world->clock.step_wall(up_to(120) * 1min - 60min);
    rotate_in_ = chance(0.6) ? up_to(60) : 0;
    revoke_in_ = chance(0.35) ? up_to(90) : 0;
    leave_in_ = chance(0.4) ? up_to(90) : 0;
  }

  void settle() {
    office_.sandbox->set_admin_plan("alpha", {});
    set_outage(sandbox::Outage::none);
    office_.world->disk_full = false;
    office_.world->store_fails = false;
    follows_ = true;
    office_.watching = false;
    return_in_ = 0;
  }

  void set_outage(sandbox::Outage outage) { REQUIRE(office_.sandbox->set_outage("alpha", outage)); }

  void minute(bool must_be_served) {
    if (rotate_in_ > 0 && --rotate_in_ == 0)
      office_.rotate();
    if (revoke_in_ > 0 && --revoke_in_ == 0)
      revoke_one();
    if (leave_in_ > 0 && --leave_in_ == 0) {
      absences += reload(false) ? 1 : 0;
      return_in_ = up_to(30);
    }
    // Not while something is being saved, and the process may die in it: again until it is back.
    return_in_ = std::max(return_in_ - 1, 0);
    if (return_in_ == 0 && model::find_pool(*office_.world->snapshot(), "prod") == nullptr)
      reload(true);
    const bool served = consume();
    office_.run(1min);
    if (++minutes_ % 10 == 0)
      check_record();
    if (!must_be_served)
      return;
    if (!served)
      FAIL_CHECK("the consumer is not served; " + problem());
    ++watched;
  }

  bool reload(bool with_pool) {
    const std::string& text = office_.text;
    return office_.reload(with_pool ? text : text.substr(0, text.find("[pools.prod]")));
  }

  // By somebody's hand: the newest that was made or the one before, unless it is ended already.
  void revoke_one() {
    const auto number = counts().made - (chance(0.4) ? 1 : 0);
    static_cast<void>(
        office_.sandbox->set_key_state("issued-" + std::to_string(number), "revoked"));
  }

  // The consumer's call of this minute, with what it read last, and its line in the log.
  bool consume() {
    if (follows_ && office_.has_file()) {
      const auto file = office_.world->file("prod.json");
      key_ = file["key"];
      secret_ = Secret(file["secret"].get<std::string>());
    }
    const int status = office_.call(secret_);
    office_.world->log_line(key_, status == 0 ? 504 : status, 10);
    return status == 200;
  }

  // An agent that died now would know what to end.
  void check_record() {
    if (!by_name_)
      return;
    const auto known = office_.credentials();
    for (const std::string& name : counts().live) {
      CAPTURE(name);
      CHECK(known.contains(name));
    }
  }

  [[nodiscard]] std::string problem() const {
    std::string text = format_rfc3339(office_.world->clock.now().wall) + " " +
                       office_.world->active("prod") + ": " + office_.world->pool("prod").problem;
    for (const char* key : {"a", "b"})
      text += fmt::format("\n{}: {}, {}", key, model::to_string(office_.world->state(key)),
                          office_.world->key(key).health.why);
    const auto rows = office_.world->store->rotations("prod", 3).value();
    for (const model::Rotation& row : rows)
      text += fmt::format("\n{} {}->{} {}: {}", row.id, row.from, row.to,
                          model::to_string(row.state), row.steps.back().note);
    return text;
  }

  Office office_;
  SeededRandom random_;
  bool by_name_;
  bool follows_ = true;
  std::string key_;
  Secret secret_;
  int rotate_in_ = 0;  // minutes; 0: not
  int revoke_in_ = 0;
  int leave_in_ = 0;   // until a reload takes the pool away
  int return_in_ = 0;  // until another brings it back, if it is away
  int minutes_ = 0;
};

}  // namespace

// Five days of two chances, of keys and of slots; or as many as KEYHERD_POOL_DAYS says of the one
// of KEYHERD_POOL_SEED.
TEST_CASE("whatever happens to an issuer's keys, none is forgotten and the published one works",
          "[simulation][issued]") {
  const auto [days, seed, is_long] = GENERATE(from_range(lives(2, 5)));
  const Kind kind = GENERATE(kProvision, kSlot);
  Weeks weeks(seed, kind);
  weeks.live(days);
  if (is_long)
    WARN(kind.mode << ": " << weeks.counts().made << " keys made, " << weeks.counts().ended
                   << " ended; the process died " << weeks.deaths() << " times; " << weeks.watched
                   << " minutes watched in " << days << " days");
  CHECK(weeks.counts().made > 2 * days);
  CHECK(weeks.deaths() > days / 4);
  CHECK(weeks.absences > days / 4);
}
