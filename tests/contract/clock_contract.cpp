// What every Clock promises: two clocks read together, steady time that never goes back.

#include <catch2/catch.hpp>

#include "base/clock.hpp"
#include "base/time_text.hpp"
#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace std::chrono_literals;

TEMPLATE_TEST_CASE("a clock's steady time never goes back and its wall time is a date", "",
                   SystemClock, test::ManualClock) {
  const TestType clock{};
  Instant last = clock.now();
  CHECK(format_rfc3339(last.wall).starts_with("20"));
  for (int i = 0; i < 1'000; ++i) {
    const Instant now = clock.now();
    CHECK(now.steady >= last.steady);
    last = now;
  }
}

TEST_CASE("the manual clock moves only when told, and a wall step leaves steady time alone") {
  test::ManualClock clock;
  const Instant start = clock.now();
  CHECK(clock.now().wall == start.wall);
  clock.advance(90s);
  CHECK(clock.now().wall - start.wall == 90s);
  CHECK(clock.now().steady - start.steady == 90s);
  clock.step_wall(-2h);
  CHECK(clock.now().wall - start.wall == 90s - 2h);
  CHECK(clock.now().steady - start.steady == 90s);
}
