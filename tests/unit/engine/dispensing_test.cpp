#include <catch2/catch.hpp>

#include "engine/control.hpp"
#include "engine/reports.hpp"
#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const std::string kPool = R"(
[providers.alpha]
type = "deepseek"
base_url = "https://alpha.test"
probe = { every = "5m", jitter = 0 }

[keys]
k1 = { provider = "alpha", secret = "env:K1", quotas = ["daily"] }
k2 = { provider = "alpha", secret = "env:K2", quotas = ["daily"] }
k3 = { provider = "alpha", secret = "env:K3" }

[quotas.daily]
limit = 1000
unit = "tokens"
window = "day"

[pools.prod]
keys = ["k1", "k2", "k3"]
)";

// The agent with what the API has of it, in one thread.
struct Desk {
  explicit Desk(const std::string& strategy) : world(kPool + "strategy = \"" + strategy + "\"\n") {
    world.start();
    world.advance(minutes(1));
    engine::ControlParts parts{world.published, {}, {}, {}, {}, {}, {}, {}, [] {}, world.clock};
    parts.post = [this](engine::Event event) {
      world.call(std::get<engine::Call>(event).run);
      return true;
    };
    parts.deliver = [this](engine::Delivery delivery) {
      waiting.push_back(std::move(delivery));
      return true;
    };
    control = engine::make_control(std::move(parts));
  }

  api::HandedOut next(std::vector<std::string> exclude = {}) {
    return **control->next("prod", std::move(exclude))();
  }
  std::string key(std::vector<std::string> exclude = {}) { return next(std::move(exclude)).key; }
  api::Pending<bool> report(const std::string& key, int status, std::int64_t tokens = 0,
                            const std::string& id = "") {
    api::UseReport told;
    told.key = key;
    told.http_status = status;
    told.input_tokens = tokens;
    nlohmann::json line{{"ts", format_rfc3339(world.clock.now().wall)},
                        {"key", key},
                        {"model", "deepseek-flash"},
                        {"input_tokens", tokens},
                        {"output_tokens", 0},
                        {"status", status}};
    if (!id.empty())
      line["request_id"] = id;
    told.line = dump_json(line) + "\n";
    return control->report("prod", told);
  }
  // What the tailer's thread and the store do with what was reported.
  void save() {
    for (engine::Delivery& delivery : std::exchange(waiting, {})) {
      const auto tally =
          world.tailer->take_delivery(delivery.log, std::move(delivery.lines), world.clock.now());
      world.arrive(*tally);
      delivery.done(api::DeliveryReport{delivery.log, tally->counts, {}});
    }
  }

  World world;
  std::unique_ptr<api::Control> control;
  std::vector<engine::Delivery> waiting;
};

}  // namespace

TEST_CASE("keys are handed out one a call, with what a request needs") {
  Desk desk("round_robin");
  const auto first = desk.next();
  CHECK(first.key == "k1");
  CHECK(first.secret->reveal() == World::secret_of("k1"));
  CHECK(first.provider->base_url == "https://alpha.test");
  CHECK(desk.key() == "k2");
  CHECK(desk.key() == "k3");
  CHECK(desk.key({"k1"}) == "k2");
}

TEST_CASE("a refusal that is reported is heeded in the next call, and the loop looks into it") {
  Desk desk("round_robin");
  const int status = GENERATE(401, 402, 429);
  const std::string failed = desk.key();
  desk.world.provider.status[World::secret_of(failed)] = status;
  desk.report(failed, status);
  for (int i = 0; i < 6; ++i)
    CHECK(desk.key() != failed);
  desk.save();
  desk.world.advance(minutes(3));  // longer than the pause after a report
  CHECK(desk.world.state(failed) != model::KeyState::healthy);
  for (int i = 0; i < 6; ++i)
    CHECK(desk.key() != failed);
}

TEST_CASE("a server's error condemns no key") {
  Desk desk("priority");
  for (const int status : {0, 400, 403, 404, 500, 503})
    desk.report("k1", status);
  std::set<std::string> seen;
  for (int i = 0; i < 3; ++i)
    seen.insert(desk.key());
  CHECK(seen == std::set<std::string>{"k1", "k2", "k3"});
}

TEST_CASE("what is reported counts like a usage line, once for each request id") {
  Desk desk("quota_aware");
  REQUIRE_FALSE(desk.key().empty());
  CHECK(desk.world.snapshot()->sources.empty());
  auto saved = desk.report("k1", 200, 300, "r1");
  desk.report("k1", 200, 300, "r1");
  desk.report("k1", 200, 50, "r2");
  CHECK_FALSE(saved());
  desk.save();
  desk.save();  // what came while the first was saved
  CHECK(**saved());
  desk.world.advance(seconds(1));
  CHECK(desk.world.key("k1").usage_by_model.at("deepseek-flash").input == 350);
  CHECK(desk.world.key("k1").quotas.at(0).used == 350);
  REQUIRE(desk.world.snapshot()->sources.size() == 1);
  CHECK(desk.world.snapshot()->sources.front()->log.id == "reports");
  // A new process knows it.
  desk.world.start();
  desk.report("k1", 200, 300, "r1");
  desk.save();
  desk.world.advance(seconds(1));
  CHECK(desk.world.key("k1").usage_by_model.at("deepseek-flash").input == 350);
}

TEST_CASE("a quota is kept by what was reported before it is saved") {
  Desk desk("quota_aware");
  REQUIRE_FALSE(desk.key().empty());
  desk.report("k1", 200, 950);
  for (int i = 0; i < 10; ++i)
    CHECK(desk.key({"k3"}) == "k2");
  desk.report("k2", 200, 950);
  const auto none = desk.next({"k3"});
  CHECK(none.key.empty());
  CHECK(none.why_none.find("k1 is used up by what was just reported") != std::string::npos);
  for (int i = 0; i < 3; ++i)
    desk.save();
  desk.world.advance(seconds(1));
  CHECK(desk.next({"k3"}).why_none.find("k1 has 50 of 1000 tokens left in quota daily") !=
        std::string::npos);
}

TEST_CASE("a paused key, and one whose provider refuses it, leave the table with the snapshot") {
  Desk desk("round_robin");
  REQUIRE(desk.key() == "k1");
  desk.world.pause("k2");
  desk.world.advance(seconds(1));
  CHECK(desk.key() == "k3");
  CHECK(desk.key() == "k1");
}

TEST_CASE("reports are refused while nothing can be saved, and a stranger's key at any time") {
  Desk desk("round_robin");
  desk.world.store_fails = true;
  desk.world.advance(minutes(2));
  CHECK((*desk.report("k1", 200)()).error().code == ErrorCode::unavailable);
  CHECK(desk.waiting.empty());
  CHECK((*desk.report("of-nobody", 200)()).error().code == ErrorCode::not_found);
  CHECK_FALSE(desk.key().empty());  // decisions go on
}

TEST_CASE("reports wait together for one delivery, and in bounded memory") {
  std::vector<engine::Delivery> taken;
  int notified = 0;
  bool takes = true;
  engine::Reports reports(
      [&](engine::Delivery delivery) {
        if (takes)
          taken.push_back(std::move(delivery));
        return takes;
      },
      [&] { ++notified; });
  const auto load = std::make_shared<rotation::KeyLoad>();
  const auto first = reports.add("1\n", load, {1, 10, 5});
  const auto second = reports.add("2\n", load, {1, 1, 0});
  const auto third = reports.add("3\n", load, {1, 1, 0});
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].lines == "1\n");
  CHECK(load->uncounted().input_tokens == 12);
  taken[0].done(api::DeliveryReport{});
  CHECK(**first());
  CHECK_FALSE(second());
  CHECK(notified == 1);
  CHECK(load->uncounted().input_tokens == 2);
  REQUIRE(taken.size() == 2);
  CHECK(taken[1].lines == "2\n3\n");

  const std::string big(engine::Reports::kMostWaitingBytes, 'x');
  const auto fits = reports.add(big, load, {1, 1, 0});
  CHECK((*reports.add("4\n", load, {1, 100, 0})()).error().code == ErrorCode::unavailable);
  CHECK(load->uncounted().input_tokens == 3);
  takes = false;
  taken[1].done(fail(ErrorCode::unavailable, "the usage log is gone"));
  CHECK((*second()).error().code == ErrorCode::unavailable);
  CHECK((*third()).error().code == ErrorCode::unavailable);
  CHECK((*fits()).error().code == ErrorCode::unavailable);
  CHECK(load->uncounted().requests == 0);
  takes = true;
  const auto after = reports.add("5\n", load, {1, 1, 0});
  CHECK(taken.back().lines == "5\n");
}
