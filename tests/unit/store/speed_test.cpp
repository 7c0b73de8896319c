// How fast counters are committed. Hidden: its figure depends on the machine. Run it with
//   test_store "[.speed]" --success
// in a release build.

#include <catch2/catch.hpp>
#include <chrono>
#include <ctime>

#include "store/sqlite_store.hpp"
#include "support/temp_dir.hpp"

namespace keyherd::test {

namespace {

double cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// 1,000 rows of one bucket: 1,000 keys and 12 models, as a tailer sums them up.
store::Batch timed_batch(int number) {
  store::Batch batch;
  for (int i = 0; i < 1000; ++i) {
    const int key = (number * 7919 + i * 31) % 1000;
    model::UsageRow row{"deepseek-prod-" + std::to_string(key),
                        "model-" + std::to_string((i + number) % 12),
                        1'975'000 + number / 50,
                        {}};
    row.counts.requests = 3;
    row.counts.input = 1200;
    row.counts.output = 300;
    row.counts.cost = 150'000;
    batch.usage.push_back(std::move(row));
  }
  model::FileCursor cursor;
  cursor.source = "gateway";
  cursor.offset = static_cast<std::uint64_t>(number);
  batch.cursors = {cursor};
  return batch;
}

}  // namespace

TEST_CASE("a hundred thousand usage rows a second are committed in batches of 1,000", "[.speed]") {
  const TempDir directory;
  auto store = store::open_sqlite_store({directory / "keyherd.db"});
  REQUIRE(store);
  std::vector<store::Batch> batches;
  for (int number = 0; number < 400; ++number)
    batches.push_back(timed_batch(number));
  const double cpu_before = cpu_seconds();
  const auto before = std::chrono::steady_clock::now();
  for (const auto& batch : batches)
    REQUIRE((*store)->commit(batch));
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - before;
  const double cpu = cpu_seconds() - cpu_before;
  const double rows = 400.0 * 1000.0;
  WARN("rows/s: " << rows / wall.count() << " wall, " << rows / cpu << " CPU; " << cpu / rows * 1e6
                  << " us CPU a row");
  CHECK(rows / cpu >= 100'000);
}

}  // namespace keyherd::test
