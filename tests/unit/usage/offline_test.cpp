#include "usage/offline.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "follower.hpp"
#include "support/memory_files.hpp"

using namespace keyherd;
using namespace keyherd::test;
using usage::OfflineReader;

namespace {

OfflineReader reader(const model::UsageContext& context = *two_keys(),
                     std::uint32_t max_line = 1U << 20U) {
  model::UsageLog log = log_at("");
  log.max_line_bytes = max_line;
  auto made = OfflineReader::make(log, context, ManualClock().now());
  REQUIRE(made);
  return std::move(*made);
}

// A pipe that gives at most so many bytes at once.
usage::ReadMore pipe_of(const std::string& text, std::size_t at_once) {
  return [text, at_once, at = std::size_t{0}](std::span<char> buffer) mutable {
    const std::size_t count = std::min({at_once, buffer.size(), text.size() - at});
    text.copy(buffer.data(), count, at);
    at += count;
    return Result<std::size_t>(count);
  };
}

std::int64_t rejected(const usage::OfflineReport& report, model::RejectReason reason) {
  return report.counts.rejected[static_cast<std::size_t>(reason)];
}

std::string sums(const usage::OfflineReport& report) {
  std::string text;
  for (const auto& row : report.usage)
    text += row.key + "=" + std::to_string(row.counts.input) + " ";
  return text;
}

}  // namespace

TEST_CASE("a whole file is summed by key, model and quarter of an hour, unknown keys included") {
  MemoryFileSystem files;
  std::string text = lines(1, 3) + line(10, "stranger") + "bad\n" + line(20, "sha256:0123456789ab");
  text += line(100);
  text.pop_back();  // a last line without a newline counts
  files.create("/tmp/use.jsonl", text);
  std::uint64_t done = 0;
  auto offline = reader();
  REQUIRE(offline.read_file(files, "/tmp/use.jsonl",
                            [&](std::uint64_t d) { done = std::max(done, d); }));
  const auto report = offline.take();
  REQUIRE(report.usage.size() == 3);
  CHECK(report.usage[0].key == "k1");
  CHECK(report.usage[0].counts.input == 106);
  CHECK(report.usage[0].counts.cost == 106 * 1000 + 4 * 4000);
  CHECK(report.usage[1].key == "k2");
  CHECK(report.usage[2].key == "stranger");
  CHECK(report.usage[2].counts.input == 10);
  CHECK(report.counts.records == 6);
  CHECK(rejected(report, model::RejectReason::bad_json) == 1);
  CHECK(report.samples.size() == 1);
  CHECK(done > 0);
}

TEST_CASE("several files and a pipe are one report") {
  MemoryFileSystem files;
  files.create("/tmp/a", line(1) + line(2));
  files.create("/tmp/b", line(4));
  auto offline = reader();
  REQUIRE(offline.read_file(files, "/tmp/a"));
  REQUIRE(offline.read_file(files, "/tmp/b"));
  REQUIRE(offline.read_stream(pipe_of(line(8), 1000), "standard input"));
  CHECK(sums(offline.take()) == "k1=15 ");
  CHECK(offline.take().usage.empty());
}

TEST_CASE("a pipe gives the same as a file, however it is cut into pieces") {
  const auto at_once = GENERATE(std::size_t{1}, std::size_t{7}, std::size_t{64}, std::size_t{999});
  std::string text = lines(1, 50) + "bad\n\n" + line(7, "other key");
  text += line(9);
  text.pop_back();
  MemoryFileSystem files;
  files.create("/tmp/use.jsonl", text);
  auto file = reader();
  REQUIRE(file.read_file(files, "/tmp/use.jsonl"));
  auto pipe = reader();
  REQUIRE(pipe.read_stream(pipe_of(text, at_once), "standard input"));
  const auto expected = file.take();
  const auto report = pipe.take();
  CHECK(sums(report) == sums(expected));
  CHECK(report.counts == expected.counts);
}

TEST_CASE("an over-long line of a pipe costs itself alone") {
  const auto at_once = GENERATE(std::size_t{50}, std::size_t{300}, std::size_t{1U << 20U});
  const std::string text = line(1) + std::string(5'000, 'x') + "\n" + line(2) + line(4);
  auto offline = reader(*two_keys(), 1'000);
  REQUIRE(offline.read_stream(pipe_of(text, at_once), "standard input"));
  const auto report = offline.take();
  CHECK(sums(report) == "k1=7 ");
  CHECK(rejected(report, model::RejectReason::too_long) == 1);
  auto cut_off = reader(*two_keys(), 1'000);
  REQUIRE(cut_off.read_stream(pipe_of(line(1) + std::string(5'000, 'x'), at_once), "pipe"));
  CHECK(sums(cut_off.take()) == "k1=1 ");
}

TEST_CASE("an empty pipe and one that breaks") {
  auto offline = reader();
  REQUIRE(offline.read_stream(pipe_of("", 10), "standard input"));
  CHECK(offline.take().usage.empty());
  const auto broken = offline.read_stream(
      [](std::span<char>) -> Result<std::size_t> { return fail(ErrorCode::unavailable, "gone"); },
      "standard input");
  REQUIRE_FALSE(broken);
  CHECK(broken.error().message == "gone");
}

TEST_CASE("a file that is not there or a format that is not understood is an error") {
  MemoryFileSystem files;
  auto offline = reader();
  const auto none = offline.read_file(files, "/tmp/none");
  REQUIRE_FALSE(none);
  CHECK(none.error().code == ErrorCode::not_found);
  files.create("/tmp/x", "");
  REQUIRE(offline.read_file(files, "/tmp/x"));
  CHECK(offline.take().usage.empty());
  model::UsageLog log = log_at("/tmp/x");
  log.format = "nonsense";
  CHECK(OfflineReader::make(log, {}, ManualClock().now()).error().code == ErrorCode::invalid);
}
