#include "engine/retention.hpp"

#include <catch2/catch.hpp>

#include "world.hpp"

using namespace keyherd;
using namespace keyherd::test;
using namespace std::chrono_literals;

namespace {

WallTime at(const std::string& text) {
  const auto time = parse_rfc3339(text);
  REQUIRE(time);
  return *time;
}

store::Batch used(const std::vector<std::string>& times) {
  store::Batch batch;
  for (const std::string& time : times) {
    model::UsageRow row{"k", "m", model::bucket_of(at(time)), {}};
    row.counts.requests = 1;
    batch.usage.push_back(row);
  }
  return batch;
}

// "2026-03-29T23:00:00Z+92=2": its start, its width in quarters of an hour, its requests.
std::vector<std::string> history(store::Store& store) {
  std::vector<std::string> rows;
  const auto kept = store.usage({});
  for (const model::UsageRow& row : *kept)
    rows.push_back(format_rfc3339(model::bucket_start(row.bucket)) + "+" +
                   std::to_string(row.width) + "=" + std::to_string(row.counts.requests));
  return rows;
}

config::AgentSettings settings_of(const std::string& timezone) {
  config::AgentSettings settings;
  settings.timezone = timezone;
  return settings;
}

void tend(store::Store& store, const config::AgentSettings& settings, const std::string& now) {
  for (;;) {
    const auto more = engine::tend_history(store, settings, 24h * 32, at(now));
    REQUIRE(more);
    if (!*more)
      return;
  }
}

}  // namespace

TEST_CASE("quarters become hours after 35 days, days after 100, and go after 400") {
  const auto store = store::make_memory_store();
  REQUIRE(store->commit(
      used({"2025-04-01T00:00:00Z", "2026-01-01T00:15:00Z", "2026-01-01T23:45:00Z",
            "2026-03-20T10:15:00Z", "2026-03-20T10:30:00Z", "2026-04-27T10:15:00Z"})));
  tend(*store, settings_of("UTC"), "2026-06-01T12:00:00Z");
  CHECK(history(*store) == std::vector<std::string>{"2026-01-01T00:00:00Z+96=2",
                                                    "2026-03-20T10:00:00Z+4=2",
                                                    "2026-04-27T10:15:00Z+1=1"});
  CHECK(store->load()->usage_totals.at("k").at("m").requests == 6);
}

TEST_CASE(
    "days are those of the agent's time zone, of 23 and 25 hours where the clock is changed") {
  const auto store = store::make_memory_store();
  REQUIRE(store->commit(
      used({"2026-03-28T22:45:00Z", "2026-03-28T23:00:00Z", "2026-03-29T21:45:00Z",
            "2026-03-29T22:00:00Z", "2025-10-26T22:45:00Z", "2025-10-25T22:00:00Z"})));
  tend(*store, settings_of("Europe/Berlin"), "2026-09-01T12:00:00Z");
  CHECK(history(*store) ==
        std::vector<std::string>{"2025-10-25T22:00:00Z+100=2", "2026-03-27T23:00:00Z+96=1",
                                 "2026-03-28T23:00:00Z+92=2", "2026-03-29T22:00:00Z+96=1"});
}

TEST_CASE("hours of a zone with an odd offset begin on its own clock") {
  const auto store = store::make_memory_store();
  REQUIRE(store->commit(used({"2026-05-01T10:15:00Z", "2026-05-01T10:30:00Z"})));
  tend(*store, settings_of("Asia/Kathmandu"), "2026-06-20T12:00:00Z");  // UTC+5:45
  CHECK(history(*store) == std::vector<std::string>{"2026-05-01T10:15:00Z+4=2"});
}

TEST_CASE("the agent tends its history by itself, soon after a start and again") {
  World world(R"(
[agent]
state = ":memory:"
[providers.p]
type = "deepseek"
probe = { every = "1h" }
[keys.k1]
provider = "p"
secret = "env:K1"
)");
  world.start();
  const auto old = [&](std::chrono::hours age) {
    model::UsageRow row{"k1", "m", model::bucket_of(world.clock.now().wall - age), {}};
    row.counts.requests = 1;
    store::Batch batch;
    batch.usage = {row};
    REQUIRE(world.store->commit(batch));
  };
  old(24h * 50);
  old(24h * 200);
  world.advance(30s);
  CHECK(world.store->usage({})->front().width == 1);
  world.advance(2min);
  const auto rows = world.store->usage({});
  REQUIRE(rows->size() == 2);
  CHECK((*rows)[0].width == 96);
  CHECK((*rows)[1].width == 4);
  old(24h * 300);
  world.advance(61min);
  CHECK(world.store->usage({})->front().width == 96);
}
