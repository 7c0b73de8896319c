#include <catch2/catch.hpp>

#include "follower.hpp"
#include "support/memory_files.hpp"
#include "usage/offline.hpp"

using namespace keyherd;
using namespace keyherd::test;

TEST_CASE("a whole file is summed by key, model and quarter of an hour, unknown keys included") {
  MemoryFileSystem files;
  std::string text = lines(1, 3) + line(10, "stranger") + "bad\n" + line(20, "sha256:0123456789ab");
  text += line(100);
  text.pop_back();  // a last line without a newline counts
  files.create("/tmp/use.jsonl", text);
  std::uint64_t done = 0;
  std::uint64_t size = 0;
  const auto report = usage::read_file(
      files, log_at("/tmp/use.jsonl"), *two_keys(), ManualClock().now(),
      [&](std::uint64_t d, std::uint64_t s) { done = std::max(done, d), size = s; });
  REQUIRE(report);
  REQUIRE(report->usage.size() == 3);
  CHECK(report->usage[0].key == "k1");
  CHECK(report->usage[0].counts.input == 106);
  CHECK(report->usage[0].counts.cost == 106 * 1000 + 4 * 4000);
  CHECK(report->usage[1].key == "k2");
  CHECK(report->usage[2].key == "stranger");
  CHECK(report->usage[2].counts.input == 10);
  CHECK(report->counts.records == 6);
  CHECK(report->counts.rejected[static_cast<std::size_t>(model::RejectReason::bad_json)] == 1);
  CHECK(report->samples.size() == 1);
  CHECK(size == text.size());
  CHECK(done > 0);
}

TEST_CASE("a file that is not there or a format that is not understood is an error") {
  MemoryFileSystem files;
  const auto none = usage::read_file(files, log_at("/tmp/none"), {}, ManualClock().now());
  REQUIRE_FALSE(none);
  CHECK(none.error().code == ErrorCode::not_found);
  files.create("/tmp/x", "");
  model::UsageLog log = log_at("/tmp/x");
  CHECK(usage::read_file(files, log, {}, ManualClock().now())->usage.empty());
  log.format = "nonsense";
  CHECK(usage::read_file(files, log, {}, ManualClock().now()).error().code == ErrorCode::invalid);
}
