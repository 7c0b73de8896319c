// Sums stay exact however often and wherever the process is killed. KEYHERD_KILLS sets how often.

#include <poll.h>
#include <sys/wait.h>
#include <catch2/catch.hpp>
#include <csignal>

#include <cstdlib>
#include <random>

#include "child.hpp"
#include "support/temp_dir.hpp"
#include "teller.hpp"
#include "writer.hpp"

namespace keyherd::test {

namespace {

int kills_wanted() {
  const char* text = std::getenv("KEYHERD_KILLS");
  return text == nullptr ? 200 : std::atoi(text);
}

struct Outcome {
  std::int64_t lines = 0;
  std::int64_t tokens = 0;
  int rotations = 0;
  model::UsageCounts counted;
};

// Kills so many processes, each some commits and a random moment after its start, while the log is
// written; then one ends in peace.
Outcome kill_while_writing(int kills, const std::vector<std::string>& more_arguments) {
  const TempDir directory;
  Writer writer(directory.path());
  std::mt19937 random(20'260'501);
  for (int i = 0; i < kills; ++i) {
    std::vector<std::string> argv{KEYHERD_CRASH_TOOL, directory.path(), "follow"};
    argv.insert(argv.end(), more_arguments.begin(), more_arguments.end());
    Child child(argv);
    for (unsigned commits = random() % 4; commits > 0; --commits)
      REQUIRE(child.read_byte());
    const timespec moment{0, static_cast<long>(random() % 12'000'000)};
    ::ppoll(nullptr, 0, &moment, nullptr);
    child.kill();
    CHECK(WIFSIGNALED(child.wait()));
  }
  writer.stop();
  auto teller = Teller::open(directory.path(), false);
  REQUIRE(teller);
  REQUIRE((*teller)->drain());
  const auto totals = (*teller)->totals();
  REQUIRE(totals);
  return {writer.lines(), writer.tokens(), writer.rotations(), *totals};
}

}  // namespace

TEST_CASE("kill -9 under a torn and rotated log: every line counts exactly once") {
  const int kills = kills_wanted();
  const Outcome outcome = kill_while_writing(kills, {});
  CAPTURE(kills, outcome.lines, outcome.rotations);
  CHECK(outcome.counted.requests == outcome.lines);
  CHECK(outcome.counted.input == outcome.tokens);
  CHECK(outcome.rotations > 0);
  WARN(kills << " kills, " << outcome.rotations << " rotations, " << outcome.lines
             << " lines: exact");
}

TEST_CASE("with the offsets in a transaction of their own the same test fails") {
  const Outcome outcome = kill_while_writing(kills_wanted() / 2, {"split"});
  CHECK(outcome.counted.requests > outcome.lines);
}

}  // namespace keyherd::test
