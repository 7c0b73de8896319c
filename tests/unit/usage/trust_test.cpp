// Lines that count and should not be trusted.

#include <catch2/catch.hpp>

#include "follower.hpp"
#include "usage/accumulator.hpp"

using namespace keyherd;
using namespace keyherd::usage;
using model::Suspicion;

namespace {

struct Bench {
  explicit Bench(std::shared_ptr<const model::UsageContext> context = test::two_keys()) {
    names.set_context(std::move(context));
    sums.set_now(now);
    sums.set_file(file);
  }
  void line(std::int64_t input, std::int64_t output, std::string_view model = "m",
            std::string_view key = "k1", std::int64_t status = 200) {
    Record record;
    record.at = to_unix_nanos(now);
    record.key = key;
    record.model = model;
    record.input = input;
    record.output = output;
    record.status = status;
    sums.add(record, offset += 100);
  }
  model::Tally take() {
    model::Tally tally;
    sums.take(tally);
    return tally;
  }
  static std::int64_t of(const model::Tally& tally, Suspicion why) {
    return tally.counts.suspect[static_cast<std::size_t>(why)];
  }
  const std::string file = "a.jsonl";
  WallTime now = test::ManualClock().now().wall;
  std::uint64_t offset = 0;
  Names names{UnknownKeys::reject};
  Accumulator sums{names};
};

}  // namespace

TEST_CASE("a success without tokens is suspect, a failure without tokens is not") {
  Bench bench;
  bench.line(0, 0);
  bench.line(0, 0, "m", "k1", 500);
  bench.line(5, 0);
  const model::Tally tally = bench.take();
  CHECK(tally.counts.records == 3);
  CHECK(Bench::of(tally, Suspicion::missing_usage) == 1);
  REQUIRE(tally.suspects.size() == 1);
  CHECK(tally.suspects[0].key == "k1");
  CHECK(tally.suspects[0].counts == model::SuspectCounts{1, 0, 0, 0});
  CHECK(tally.suspect_samples == std::vector<std::string>{"missing_usage at byte 100 of a.jsonl"});
  CHECK(tally.samples.empty());
}

TEST_CASE("running totals are found, across batches, once the run is long") {
  Bench bench;
  std::int64_t suspects = 0;
  for (int i = 1; i <= 40; ++i) {
    bench.line(100 * i, 10 * i);
    if (i % 7 == 0)
      suspects += Bench::of(bench.take(), Suspicion::cumulative);
  }
  suspects += Bench::of(bench.take(), Suspicion::cumulative);
  CHECK(suspects == 40 - 1 - 15);
}

TEST_CASE("requests that vary, that repeat, or of which only the prompt grows are no totals") {
  Bench bench;
  for (int i = 0; i < 1000; ++i) {
    bench.line(100 + i, 10 + i * 7919 % 13);
    bench.line(500, 20, "repeats");
    bench.line(1000 + i, 3, "grows");
  }
  CHECK(Bench::of(bench.take(), Suspicion::cumulative) == 0);
}

TEST_CASE("a model that the provider's prices do not know is suspect, where there are prices") {
  auto context = test::two_keys();
  context->keys["bare"] = {"bare", "without-prices", false};
  Bench bench(context);
  bench.line(5, 1, "new-model");
  bench.line(5, 1, "new-model", "bare");
  const model::Tally tally = bench.take();
  CHECK(Bench::of(tally, Suspicion::unknown_model) == 1);
  CHECK(tally.suspects.at(0).key == "k1");
}

TEST_CASE("a name unfit for a label is suspect, whatever became of its line before it is summed") {
  auto context = test::two_keys();
  context->keys["bare"] = {"bare", "without-prices", false};
  Bench bench(context);
  std::string name(200, 'x');
  bench.line(5, 1, name, "bare");
  name = "other";
  bench.line(5, 1, name, "bare");
  name = "gone!";
  const model::Tally tally = bench.take();
  CHECK(Bench::of(tally, Suspicion::unknown_model) == 1);
  CHECK(tally.counts.models_folded == 1);
}

TEST_CASE("a line from the future is suspect, one older than the history is late") {
  auto context = test::two_keys();
  context->kept = std::chrono::hours(24 * 400);
  Bench bench(context);
  Record record;
  record.key = "k1";
  record.model = "m";
  record.input = 1;
  record.at = to_unix_nanos(bench.now + std::chrono::minutes(6));
  bench.sums.add(record, 0);
  record.at = to_unix_nanos(bench.now - std::chrono::hours(24 * 401));
  bench.sums.add(record, 0);
  const model::Tally tally = bench.take();
  CHECK(Bench::of(tally, Suspicion::clock) == 1);
  CHECK(tally.counts.future == 1);
  CHECK(tally.counts.late == 1);
  CHECK(tally.counts.records == 2);
}

TEST_CASE("what the table says is kept beside what the gateway logged") {
  Bench bench;
  Record record;
  record.at = to_unix_nanos(bench.now);
  record.key = "k1";
  record.model = "m";
  record.input = 1000;
  record.cost = 7;
  bench.sums.add(record, 0);
  bench.line(1000, 0);
  const model::UsageCounts counts = bench.take().usage.at(0).counts;
  CHECK(counts.cost == 7 + 1'000'000);
  CHECK(counts.table_cost == 2'000'000);
}
