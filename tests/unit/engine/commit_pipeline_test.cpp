#include "engine/commit_pipeline.hpp"

#include <catch2/catch.hpp>

#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace keyherd::engine;
using namespace std::chrono_literals;

TEST_CASE("actions run after the commit of what was gathered before them, and only then") {
  test::ManualClock clock;
  CommitPipeline pipeline;
  CHECK_FALSE(pipeline.can_start(clock.now()));
  int ran = 0;
  pipeline.next().settings["a"] = "1";
  pipeline.then([&](Instant) {
    CHECK(pipeline.committed().settings.at("a") == "1");
    ++ran;
  });
  REQUIRE(pipeline.can_start(clock.now()));
  const auto batch = pipeline.start();
  CHECK(batch->settings.at("a") == "1");
  pipeline.next().settings["b"] = "2";
  pipeline.then([&](Instant) { ran += 10; });
  CHECK_FALSE(pipeline.can_start(clock.now()));
  CHECK(ran == 0);
  pipeline.finish({}, clock.now());
  CHECK(ran == 1);
  CHECK(pipeline.start()->settings.count("b") == 1);
}

TEST_CASE("a batch that fails is tried again as it is, with back-off, before anything newer") {
  test::ManualClock clock;
  CommitPipeline pipeline;
  bool ran = false;
  pipeline.next().settings["a"] = "1";
  pipeline.then([&](Instant) { ran = true; });
  const auto first = pipeline.start();
  pipeline.next().settings["b"] = "2";
  pipeline.finish(fail(ErrorCode::no_space, "disk full"), clock.now());
  CHECK_FALSE(ran);
  CHECK(pipeline.problem() == "disk full");
  CHECK_FALSE(pipeline.starts_fresh());
  CHECK_FALSE(pipeline.can_start(clock.now()));
  clock.advance(1s);
  REQUIRE(pipeline.can_start(clock.now()));
  CHECK(pipeline.start() == first);
  pipeline.finish({}, clock.now());
  CHECK(ran);
  CHECK(pipeline.problem().empty());
  CHECK(pipeline.failures() == 1);
  CHECK(pipeline.start()->settings.count("b") == 1);
}
