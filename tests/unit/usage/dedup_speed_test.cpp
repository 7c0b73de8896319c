// What remembering request ids costs a line: run with "[.speed]", in a release build.

#include <catch2/catch.hpp>

#include <ctime>

#include "follower.hpp"
#include "support/memory_files.hpp"

using namespace keyherd;
using namespace keyherd::test;

namespace {

double cpu_nanos() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// Nanoseconds a line, of 3 million lines with ids of their own, once the table is full.
double nanos_a_line(bool dedup) {
  constexpr int kFilling = 20;
  constexpr int kBatches = 50;
  constexpr int kLines = 100'000;
  MemoryFileSystem files;
  model::UsageLog log = log_at("/var/log/a.log");
  log.dedup = dedup;
  usage::TailerOptions options;
  options.batch_bytes = 64U << 20U;
  Follower follower(files, {log}, options);
  double spent = 0;
  for (int batch = 0; batch < kBatches; ++batch) {
    std::string text;
    for (int i = 0; i < kLines; ++i) {
      std::string one = line(i);
      text += one.insert(1, "\"request_id\":\"chatcmpl-" +
                                std::to_string(batch * kLines + i + 1'000'000'000) + "\",");
    }
    files.create("/var/log/a.log", text);
    follower.seen.clear();  // the store's part is not measured here
    const double before = cpu_nanos();
    follower.drain();
    spent += batch < kFilling ? 0 : cpu_nanos() - before;
  }
  CHECK(follower.counts.records == kBatches * kLines);
  return spent / ((kBatches - kFilling) * kLines);
}

}  // namespace

TEST_CASE("remembering ids costs a fraction of reading the line", "[.speed]") {
  const double without = nanos_a_line(false);
  const double with = nanos_a_line(true);
  WARN(without << " ns a line without, " << with << " ns with dedup");
  CHECK(with < 1.5 * without);
}
