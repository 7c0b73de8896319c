#include <catch2/catch.hpp>

#include "follower.hpp"
#include "support/memory_files.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::RejectReason;

namespace {
constexpr const char* kPath = "/var/log/a.log";

usage::TailerOptions chunks_of(std::size_t bytes) {
  usage::TailerOptions options;
  options.chunk_bytes = bytes;
  return options;
}
// Reads in chunks as small as the cap on lines allows.
model::UsageLog short_lines(std::uint32_t cap) {
  model::UsageLog log = log_at(kPath);
  log.max_line_bytes = cap;
  return log;
}
}  // namespace

TEST_CASE("a partial line counts once its newline is there, and the offset waits for it") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kPath)});
  const std::string text = line(5);
  files.append(kPath, text.substr(0, 10));
  follower.drain();
  CHECK(follower.tokens() == 0);
  CHECK(follower.store.empty());
  files.append(kPath, text.substr(10));
  follower.drain();
  CHECK(follower.tokens() == 5);
  REQUIRE(follower.store.size() == 1);
  CHECK(follower.store.begin()->second.offset == text.size());
}

TEST_CASE("a line split at every byte, multibyte characters included, is one line") {
  const std::string text =
      R"({"ts":"2026-05-01T00:00:00Z","key":"k1","model":"modèle-模型","input_tokens":7})"
      "\r\n";
  for (std::size_t split = 0; split <= text.size(); ++split) {
    CAPTURE(split);
    MemoryFileSystem files;
    Follower follower(files, {log_at(kPath)});
    files.append(kPath, line(1) + text.substr(0, split));
    follower.poll();
    files.append(kPath, text.substr(split) + line(2));
    follower.drain();
    CHECK(follower.tokens() == 10);
    CHECK(follower.counts.records == 3);
    CHECK(follower.counts.rejected == model::SourceCounts().rejected);
  }
}

TEST_CASE("what is counted does not depend on the size of the reads") {
  std::string text;
  for (int n = 1; n <= 40; ++n)
    text += n % 7 == 0 ? "bad\n" : n % 5 == 0 ? "\n" + line(n) : line(n);
  MemoryFileSystem whole;
  whole.append(kPath, text);
  Follower expected(whole, {log_at(kPath)});
  expected.drain();
  for (std::size_t chunk = 1; chunk <= 16; ++chunk) {
    CAPTURE(chunk);
    MemoryFileSystem files;
    files.append(kPath, text);
    usage::TailerOptions options = chunks_of(chunk);
    options.batch_bytes = 64 * chunk;
    Follower follower(files, {short_lines(150)}, options);
    follower.drain();
    CHECK(follower.by_key == expected.by_key);
    CHECK(follower.counts.rejected == expected.counts.rejected);
    CHECK(follower.store.begin()->second.offset == text.size());
  }
}

TEST_CASE("a carriage return inside a line belongs to it") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kPath)});
  files.append(kPath, line(1).substr(0, line(1).size() - 1) + "\r\n" + "b\rc\n" + line(2));
  follower.drain();
  CHECK(follower.tokens() == 3);
  CHECK(follower.rejected(RejectReason::bad_json) == 1);
}

TEST_CASE("exactly the lines over the cap are skipped, once each, across reads and restarts") {
  const std::uint32_t usual = model::UsageLog().max_line_bytes;
  CHECK(usual == 1U << 20U);
  struct Case {
    std::uint32_t cap;
    std::size_t chunk;
  };
  for (const auto [cap, chunk] : {Case{200, 16}, Case{200, 201}, Case{200, 5'000},
                                  Case{usual, 4'096}, Case{usual, 1 << 18}}) {
    CAPTURE(cap, chunk);
    const auto padded = [](int n, std::size_t length) {
      std::string text = line(n);
      text.insert(text.size() - 1, length - (text.size() - 1), ' ');
      return text;
    };
    MemoryFileSystem files;
    Follower follower(files, {short_lines(cap)}, chunks_of(chunk));
    files.append(kPath, padded(1, cap - 1) + padded(10, cap) + padded(100, cap + 1) + line(1000));
    follower.drain();
    CHECK(follower.tokens() == 1011);
    CHECK(follower.rejected(RejectReason::too_long) == 1);

    files.append(kPath, std::string(cap + 100'000, 'x'));
    follower.drain();
    CHECK(follower.rejected(RejectReason::too_long) == 2);
    CHECK(follower.store.begin()->second.skipping);
    follower.restart();
    files.append(kPath, std::string(100'000, 'y'));
    follower.drain();
    follower.restart();
    files.append(kPath, "\n" + line(10'000));
    follower.drain();
    CHECK(follower.tokens() == 11'011);
    CHECK(follower.rejected(RejectReason::too_long) == 2);
    CHECK_FALSE(follower.store.begin()->second.skipping);
  }
}

TEST_CASE("holes and runs of NUL are passed over, the lines behind them count") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kPath)});
  files.append(kPath, lines(1, 3));
  follower.drain();
  const std::size_t before = lines(1, 3).size();
  files.truncate(kPath, 0);
  files.append(kPath, std::string(before + 20'000'000, '\0') + lines(10, 12));
  follower.drain();
  CHECK(follower.tokens() == sum_of(1, 3) + sum_of(10, 12));
  files.append(kPath, std::string(100, '\0') + line(100));
  follower.drain();
  CHECK(follower.tokens() == sum_of(1, 3) + sum_of(10, 12) + 100);
  CHECK(follower.rejected(RejectReason::bad_json) == 0);
}

TEST_CASE("empty files and files of blank lines have no identity to clash") {
  MemoryFileSystem files;
  for (int i = 0; i < 10; ++i)
    files.create("/var/log/e" + std::to_string(i) + ".log", "");
  files.create("/var/log/n.log", "\n");
  Follower follower(files, {log_at("/var/log/*.log")});
  follower.drain();
  for (int i = 0; i < 10; ++i)
    files.append("/var/log/e" + std::to_string(i) + ".log", line(1 << i));
  follower.drain();
  CHECK(follower.tokens() == 1023);
  CHECK(follower.counts.records == 10);
  CHECK(follower.status["gateway"].files == 11);
}

TEST_CASE("files with the same 4 KiB of header lines are still different files") {
  MemoryFileSystem files;
  const std::string header = "# " + std::string(4'094, 'h') + "\n";
  for (int i = 0; i < 3; ++i)
    files.create("/var/log/" + std::to_string(i) + ".log", header + line(1 << i));
  Follower follower(files, {log_at("/var/log/*.log")});
  follower.drain();
  CHECK(follower.tokens() == 7);
  files.append("/var/log/1.log", line(100));
  follower.drain();
  follower.restart();
  files.append("/var/log/0.log", line(1000));
  follower.drain();
  CHECK(follower.tokens() == 1107);
}
