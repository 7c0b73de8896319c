#include "engine/pool_schedule.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "base/time_text.hpp"
#include "cron/jitter.hpp"
#include "engine/freezes.hpp"

using namespace keyherd;
using namespace std::chrono_literals;
using engine::PoolSchedule;

namespace {

WallTime at_time(const char* text) {
  return parse_rfc3339(text).value();
}

model::Pool scheduled_pool(const char* schedule) {
  model::Pool pool;
  pool.id = "prod";
  pool.schedule = schedule;
  return pool;
}

PoolSchedule configured(const model::Pool& pool, WallTime now) {
  PoolSchedule schedule;
  schedule.configure(pool, cron::Schedule::parse(pool.schedule, pool.timezone).value(), now);
  return schedule;
}

}  // namespace

TEST_CASE("a firing is taken once") {
  PoolSchedule schedule = configured(scheduled_pool("0 3 * * *"), at_time("2026-05-01T00:00:00Z"));
  CHECK_FALSE(schedule.take_due(at_time("2026-05-01T02:59:59Z")));
  const auto fire = schedule.take_due(at_time("2026-05-01T03:00:01Z"));
  REQUIRE(fire);
  CHECK(fire->scheduled_at == at_time("2026-05-01T03:00:00Z"));
  CHECK_FALSE(fire->too_late);
  CHECK(fire->missed == 0);
  CHECK_FALSE(schedule.take_due(at_time("2026-05-01T03:00:01Z")));
  // The clock is set back: nothing fires again.
  CHECK_FALSE(schedule.take_due(at_time("2026-05-01T01:00:00Z")));
  CHECK(schedule.next() == at_time("2026-05-02T03:00:00Z"));
}

TEST_CASE("missed firings are one, if the last is less than the window ago") {
  const WallTime start = at_time("2026-05-01T00:30:00Z");
  PoolSchedule hourly = configured(scheduled_pool("0 * * * *"), start);
  hourly.restore(at_time("2026-05-01T00:00:00Z"));
  const auto fire = hourly.take_due(at_time("2026-05-04T00:09:00Z"));  // after three days
  REQUIRE(fire);
  CHECK(fire->scheduled_at == at_time("2026-05-04T00:00:00Z"));
  CHECK_FALSE(fire->too_late);
  CHECK(fire->missed == 71);
  CHECK(hourly.next() == at_time("2026-05-04T01:00:00Z"));

  hourly.restore(at_time("2026-05-01T00:00:00Z"));
  const auto late = hourly.take_due(at_time("2026-05-04T00:11:00Z"));
  REQUIRE(late);
  CHECK(late->too_late);
  CHECK(late->missed == 72);
  CHECK(hourly.next() == at_time("2026-05-04T01:00:00Z"));
}

TEST_CASE("a wide window makes up for a night's stop; skip makes up for nothing") {
  model::Pool pool = scheduled_pool("0 3 * * *");
  pool.catch_up_window = 12h;
  const WallTime start = at_time("2026-05-01T12:00:00Z");
  PoolSchedule once = configured(pool, start);
  CHECK_FALSE(once.take_due(at_time("2026-05-02T08:00:00Z")).value().too_late);
  pool.catch_up = model::CatchUp::skip;
  PoolSchedule skip = configured(pool, start);
  CHECK(skip.take_due(at_time("2026-05-02T08:00:00Z")).value().too_late);
  CHECK_FALSE(skip.take_due(at_time("2026-05-03T03:00:05Z")).value().too_late);
}

TEST_CASE("a year of missed minutes is counted at once") {
  PoolSchedule schedule = configured(scheduled_pool("* * * * *"), at_time("2026-01-01T00:00:00Z"));
  const auto fire = schedule.take_due(at_time("2027-01-01T00:00:00Z"));
  REQUIRE(fire);
  CHECK(fire->missed == 365 * 24 * 60 - 1);
}

TEST_CASE("an edited schedule never fires for the past") {
  PoolSchedule schedule = configured(scheduled_pool("0 3 * * *"), at_time("2026-05-01T00:00:00Z"));
  const model::Pool edited = scheduled_pool("0 2 * * *");
  CHECK(schedule.configure(edited, cron::Schedule::parse("0 2 * * *", "UTC").value(),
                           at_time("2026-05-01T03:30:00Z")));
  CHECK_FALSE(schedule.take_due(at_time("2026-05-01T03:30:00Z")));
  CHECK(schedule.next() == at_time("2026-05-02T02:00:00Z"));
}

TEST_CASE("jitter delays every firing of a pool by the same time") {
  model::Pool pool = scheduled_pool("0 3 * * *");
  pool.schedule_jitter = 5min;
  PoolSchedule schedule = configured(pool, at_time("2026-05-01T00:00:00Z"));
  const auto delay = *schedule.next() - at_time("2026-05-01T03:00:00Z");
  CHECK(delay > 0s);
  CHECK(delay < 5min);
  CHECK_FALSE(schedule.take_due(at_time("2026-05-01T03:00:00Z")));
  const auto fire = schedule.take_due(at_time("2026-05-01T03:00:00Z") + delay);
  REQUIRE(fire);
  CHECK(fire->scheduled_at == at_time("2026-05-01T03:00:00Z"));
  CHECK(*schedule.next() - at_time("2026-05-02T03:00:00Z") == delay);
  PoolSchedule restarted = configured(pool, at_time("2026-05-03T00:00:00Z"));
  CHECK(*restarted.next() - at_time("2026-05-03T03:00:00Z") == delay);
}

TEST_CASE("five hundred pools of one schedule are spread over the jitter") {
  std::set<std::chrono::minutes::rep> delays;
  for (int i = 0; i < 500; ++i) {
    const auto delay = cron::stable_delay("pool-" + std::to_string(i), 10min);
    REQUIRE(delay >= 0s);
    REQUIRE(delay < 10min);
    delays.insert(std::chrono::floor<std::chrono::minutes>(delay).count());
  }
  CHECK(delays.size() == 10);
  CHECK(cron::stable_delay("prod", 0s) == 0s);
}

TEST_CASE("a freeze window is open from its start for as long as it lasts") {
  const std::vector<engine::FreezeSchedule> windows{
      {cron::Schedule::parse("0 18 * * FRI", "Europe/Berlin").value(), 62h},
      {cron::Schedule::parse("0 0 24 12 *", "Europe/Berlin").value(), 72h}};
  CHECK_FALSE(engine::open_window(windows, at_time("2026-05-01T15:59:59Z")));
  const auto open = engine::open_window(windows, at_time("2026-05-01T16:00:00Z"));
  REQUIRE(open);
  CHECK_FALSE(open->by_hand);
  CHECK(open->until == at_time("2026-05-04T06:00:00Z"));
  CHECK(engine::open_window(windows, at_time("2026-05-04T05:59:59Z")));
  CHECK_FALSE(engine::open_window(windows, at_time("2026-05-04T06:00:00Z")));
}

TEST_CASE("a freeze by hand survives as text") {
  const model::Freeze freeze{true, at_time("2026-05-01T16:00:00Z"), "operate", "migration"};
  CHECK(engine::freeze_from_text(engine::freeze_to_text(freeze)) == freeze);
  const model::Freeze open_end{true, std::nullopt, "admin", ""};
  CHECK(engine::freeze_from_text(engine::freeze_to_text(open_end)) == open_end);
  CHECK_FALSE(engine::freeze_from_text(""));
  CHECK_FALSE(engine::freeze_from_text("yesterday\nadmin\n"));
}
