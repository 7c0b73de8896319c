#include "engine/endpoint_pace.hpp"

#include <catch2/catch.hpp>

#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace std::chrono_literals;
using engine::EndpointPace;

namespace {
const SteadyTime kPaceNow = test::ManualClock().now().steady;
}

TEST_CASE("probes at one endpoint are kept apart, whatever provider section they are of") {
  EndpointPace pace;
  pace.add("a", "https://api.example/v1", 2, 5min, 1s);
  pace.add("b", "https://api.example/anthropic", 2, 5min, 200ms);
  pace.add("c", "https://other.example", 2, 5min, 1s);
  CHECK_FALSE(pace.take("a", kPaceNow));
  CHECK(pace.take("b", kPaceNow) == kPaceNow + 1s);
  CHECK(pace.take("a", kPaceNow) == kPaceNow + 2s);
  CHECK_FALSE(pace.take("c", kPaceNow));
  CHECK_FALSE(pace.take("a", kPaceNow + 3s));
}

TEST_CASE("many keys get less room, so that they fit into half of their interval") {
  EndpointPace pace;
  pace.add("a", "https://api.example", 50'000, 5min, 1s);
  CHECK(pace.spacing("a") == 3ms);
  pace.clear();
  pace.add("a", "https://api.example", 2, 1s, 1s);
  CHECK(pace.spacing("a") == 250ms);
}

TEST_CASE("a slot that is taken stays taken over a reload") {
  EndpointPace pace;
  pace.add("a", "https://api.example", 1, 5min, 1s);
  CHECK_FALSE(pace.take("a", kPaceNow));
  pace.clear();
  pace.add("a", "https://api.example", 1, 5min, 1s);
  CHECK(pace.take("a", kPaceNow) == kPaceNow + 1s);
}
