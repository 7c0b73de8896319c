#include <catch2/catch.hpp>

#include <fstream>
#include <thread>

#include "support/temp_dir.hpp"
#include "usage/watcher.hpp"

using namespace keyherd;
using usage::Watcher;

namespace {
SteadyTime in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}
}  // namespace

TEST_CASE("a change in a watched directory is a hint, silence is a deadline") {
  test::TempDir dir;
  Watcher watcher;
  watcher.watch({dir.path()});
  REQUIRE(watcher.sees_all());
  CHECK(watcher.interval() == Watcher::kMaxInterval);
  CHECK(watcher.wait(in(std::chrono::milliseconds(1)), {}) == Watcher::Wake::deadline);
  std::ofstream(dir / "a.log") << "x\n";
  CHECK(watcher.wait(in(std::chrono::seconds(20)), {}) == Watcher::Wake::hint);
  CHECK(watcher.wait(in(std::chrono::milliseconds(1)), {}) == Watcher::Wake::deadline);
  watcher.watch({});
  std::ofstream(dir / "b.log") << "x\n";
  CHECK(watcher.wait(in(std::chrono::milliseconds(1)), {}) != Watcher::Wake::overflow);
}

TEST_CASE("a directory that cannot be watched leaves the watcher blind but working") {
  test::TempDir dir;
  Watcher watcher;
  watcher.watch({dir.path(), dir / "none"});
  CHECK_FALSE(watcher.sees_all());
  CHECK(watcher.interval() == Watcher::kBlindInterval);
  CHECK(watcher.wait(in(std::chrono::milliseconds(1)), {}) == Watcher::Wake::deadline);
}

TEST_CASE("a wait ends at once when woken or stopped") {
  Watcher watcher;
  watcher.wake();
  CHECK(watcher.wait(in(std::chrono::seconds(20)), {}) == Watcher::Wake::woken);
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  CHECK(watcher.wait(in(std::chrono::seconds(20)), stop.get_token()) == Watcher::Wake::stopped);
  CHECK(watcher.wait(in(std::chrono::seconds(20)), stop.get_token()) == Watcher::Wake::stopped);
}
