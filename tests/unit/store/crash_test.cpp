// The agent may be killed at any instant: what was counted and the offset it was counted from are
// always of one moment.

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <csignal>

#include <random>

#include "store/sqlite_store.hpp"
#include "support/temp_dir.hpp"

namespace keyherd::test {

namespace {

using store::open_sqlite_store;

// Batch n: n requests for a key, and the cursor after them.
store::Batch batch_number(std::int64_t number) {
  store::Batch batch;
  for (int i = 0; i < 20; ++i) {
    model::UsageRow row{
        "key-" + std::to_string(i), "model-" + std::to_string(number % 7), number % 50, {}};
    row.counts.requests = number;
    batch.usage.push_back(row);
  }
  model::FileCursor cursor;
  cursor.source = "log";
  cursor.offset = static_cast<std::uint64_t>(number);
  batch.cursors = {cursor};
  batch.fires = {{"pool", WallTime(std::chrono::seconds(number)), {}, "started"}};
  return batch;
}

std::int64_t last_number(const store::State& state) {
  return state.cursors.empty() ? 0 : static_cast<std::int64_t>(state.cursors[0].offset);
}

// The child: goes on from where the file says, one byte on the pipe for each commit. Never returns.
[[noreturn]] void commit_until_killed(const std::string& path, int pipe_end) {
  auto store = open_sqlite_store({path});
  const auto state = store ? (*store)->load() : Result<store::State>(fail(store.error()));
  if (!state)
    ::_exit(1);
  for (std::int64_t number = last_number(*state) + 1;; ++number) {
    if (!(*store)->commit(batch_number(number)) || ::write(pipe_end, "c", 1) != 1)
      ::_exit(2);
  }
}

// Waits for that many commits of the child, then a random moment, then kills it.
int run_child(const std::string& path, int commits, std::chrono::microseconds after) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  if (child == 0)
    commit_until_killed(path, ends[1]);
  ::close(ends[1]);
  int seen = 0;
  char byte = 0;
  while (seen < commits && ::read(ends[0], &byte, 1) == 1)
    ++seen;
  const timespec moment{0, static_cast<long>(std::chrono::nanoseconds(after).count())};
  pollfd nothing{-1, 0, 0};
  ::ppoll(&nothing, 1, &moment, nullptr);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  // What it managed to report before it died.
  while (::read(ends[0], &byte, 1) == 1)
    ++seen;
  ::close(ends[0]);
  return seen;
}

}  // namespace

TEST_CASE("kill -9 at random moments loses no reported commit and halves none") {
  const TempDir directory;
  const std::string path = directory / "keyherd.db";
  std::mt19937 random(20'260'501);
  std::int64_t reported = 0;
  for (int round = 0; round < 15; ++round) {
    const int seen = run_child(path, 1 + static_cast<int>(random() % 15),
                               std::chrono::microseconds(random() % 6000));
    auto store = open_sqlite_store({path});
    if (!store)
      FAIL(store.error().message);
    const auto state = (*store)->load();
    REQUIRE(state);
    const std::int64_t last = last_number(*state);
    // A commit may have been made and its report lost, never the other way round.
    CHECK(last >= reported + seen);
    CHECK(last <= reported + seen + 1);
    reported = last;
    for (int i = 0; i < 20; ++i) {
      std::int64_t total = 0;
      for (const auto& [model, counts] : state->usage_totals.at("key-" + std::to_string(i)))
        total += counts.requests;
      CHECK(total == last * (last + 1) / 2);
    }
    std::int64_t history = 0;
    const auto rows = (*store)->usage({});
    REQUIRE(rows);
    for (const auto& row : *rows)
      history += row.counts.requests;
    CHECK(history == 20 * last * (last + 1) / 2);
    CHECK(state->last_fires.at("pool").scheduled_at == WallTime(std::chrono::seconds(last)));
  }
}

}  // namespace keyherd::test
