#include <catch2/catch.hpp>

#include "follower.hpp"
#include "support/memory_files.hpp"

using namespace keyherd;
using namespace keyherd::test;
using std::chrono::seconds;

namespace {
const std::string kPath = "/var/log/a.log";
const std::string kRotatedPatterns[] = {kPath, "/var/log/a.log*"};
}  // namespace

TEST_CASE("a renamed file is read to its end while the new one grows") {
  for (const std::string& pattern : kRotatedPatterns) {
    CAPTURE(pattern);
    MemoryFileSystem files;
    Follower follower(files, {log_at(pattern)});
    files.append(kPath, lines(1, 10));
    follower.drain();
    files.append(kPath, lines(11, 15));
    files.rename(kPath, kPath + ".1");
    for (int n = 16; n <= 35; ++n) {
      files.append(kPath + ".1", line(n));
      if (n > 25)
        files.append(kPath, line(1000 + n));
      follower.poll();
    }
    follower.wait(seconds(300));
    CHECK(follower.tokens() == sum_of(1, 35) + sum_of(1026, 1035));
    CHECK(follower.counts.renames == 1);
    CHECK(follower.counts.truncations == 0);
  }
}

TEST_CASE("a pattern that matches the rotated names reads nothing again") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kPath + "*")});
  for (int round = 0; round < 5; ++round) {
    files.append(kPath, lines(1 + 10 * round, 10 + 10 * round));
    follower.drain();
    for (int i = round; i >= 1; --i)
      files.rename(kPath + "." + std::to_string(i), kPath + "." + std::to_string(i + 1));
    files.rename(kPath, kPath + ".1");
    follower.drain();
  }
  follower.wait(seconds(300));
  CHECK(follower.tokens() == sum_of(1, 50));
  CHECK(follower.counts.records == 50);
}

TEST_CASE("names that are reused in a cycle confuse nobody") {
  MemoryFileSystem files;
  Follower follower(files, {log_at("/var/log/out.l*")});
  const std::string name = "/var/log/out.lo";
  files.append(name + "g", line(1));
  for (const char* each : {"1", "2", "3"})
    files.append(name + each, line(10 * (each[0] - '0')));
  follower.drain();
  for (int round = 0; round < 6; ++round) {
    files.rename(name + "g", name + "t");
    files.rename(name + "1", name + "g");
    files.rename(name + "2", name + "1");
    files.rename(name + "3", name + "2");
    files.rename(name + "t", name + "3");
    files.append(name + "g", line(1000 + round));
    follower.drain();
  }
  CHECK(follower.tokens() == 61 + sum_of(1000, 1005));
  CHECK(follower.counts.truncations == 0);
}

TEST_CASE("several rotations between two looks lose no generation") {
  for (const std::string& pattern : kRotatedPatterns) {
    CAPTURE(pattern);
    MemoryFileSystem files;
    Follower follower(files, {log_at(pattern)});
    files.append(kPath, lines(1, 5));
    follower.drain();
    files.append(kPath, line(6));
    for (int round = 0; round < 3; ++round) {
      for (int i = round; i >= 1; --i)
        files.rename(kPath + "." + std::to_string(i), kPath + "." + std::to_string(i + 1));
      files.rename(kPath, kPath + ".1");
      files.append(kPath, line(100 + round));
    }
    follower.drain();
    CHECK(follower.tokens() == sum_of(1, 6) + sum_of(100, 102));
    follower.wait(seconds(300));
    CHECK(follower.tokens() == sum_of(1, 6) + sum_of(100, 102));
  }
}

TEST_CASE("a deleted file is read to its end and then closed") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kPath)});
  files.append(kPath, line(1));
  follower.drain();
  files.append(kPath, line(2));
  REQUIRE(files.remove(kPath));
  follower.drain();
  CHECK(follower.tokens() == 3);
  CHECK(follower.status["gateway"].files == 1);
  follower.wait(seconds(80));
  CHECK(follower.status["gateway"].files == 0);
  files.append(kPath, line(4));
  follower.drain();
  CHECK(follower.tokens() == 7);
}

TEST_CASE("a renamed file without a successor stays open however long it is silent") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kPath)});
  files.append(kPath, line(1));
  follower.drain();
  files.rename(kPath, kPath + ".1");
  follower.wait(seconds(3600));
  files.append(kPath + ".1", line(2));
  follower.drain();
  CHECK(follower.tokens() == 3);
}

TEST_CASE("the last line of a rotated file counts without a newline after the grace, once") {
  for (const std::string& pattern : kRotatedPatterns) {
    CAPTURE(pattern);
    MemoryFileSystem files;
    Follower follower(files, {log_at(pattern)});
    files.append(kPath, line(1));
    follower.drain();
    std::string last = line(2);
    last.pop_back();
    files.append(kPath, last);
    files.rename(kPath, kPath + ".1");
    files.append(kPath, line(10) + "{\"torn");
    follower.wait(seconds(30));
    CHECK(follower.tokens() == 11);
    follower.wait(seconds(60));
    CHECK(follower.tokens() == 13);
    follower.restart();
    follower.wait(seconds(200));
    CHECK(follower.tokens() == 13);
    CHECK(follower.rejected(model::RejectReason::bad_json) == 0);  // the live file may go on
    files.rename(kPath, kPath + ".0");
    files.create(kPath, line(100));
    follower.wait(seconds(200));
    CHECK(follower.tokens() == 113);
    CHECK(follower.rejected(model::RejectReason::bad_json) == 1);
  }
}

TEST_CASE("a truncated file is read from its beginning, whatever it grew to") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kPath)});
  files.append(kPath, lines(1, 20));
  follower.drain();
  SECTION("less than before") {
    files.truncate(kPath, 0);
    follower.drain();
    CHECK(follower.counts.truncations == 1);
    files.append(kPath, lines(100, 102));
  }
  SECTION("more than before, between two looks") {
    files.truncate(kPath, 0);
    files.append(kPath, lines(100, 130));
  }
  SECTION("exactly as much as before") {
    std::string other = lines(1, 20);
    for (char& c : other)
      c = c == '5' ? '7' : c;
    files.overwrite(kPath, other);
    follower.drain();
    CHECK(follower.counts.truncations == 1);
    CHECK(follower.tokens() > sum_of(1, 20));
    return;
  }
  const std::string content = files.content(kPath);
  follower.drain();
  CHECK(follower.counts.truncations == 1);
  const std::int64_t expected =
      sum_of(1, 20) + (content.size() > 1000 ? sum_of(100, 130) : sum_of(100, 102));
  CHECK(follower.tokens() == expected);
  follower.restart();
  follower.drain();
  follower.restart();
  follower.drain();
  CHECK(follower.tokens() == expected);
}

TEST_CASE("copy and truncate: what was not yet read is read from the copy, nothing twice") {
  for (const std::string& pattern : kRotatedPatterns) {
    for (const bool looks_between : {false, true}) {
      CAPTURE(pattern, looks_between);
      MemoryFileSystem files;
      Follower follower(files, {log_at(pattern)});
      std::int64_t expected = 0;
      int n = 1;
      for (int round = 0; round < 6; ++round) {
        files.append(kPath, lines(n, n + 9));
        follower.drain();
        files.append(kPath, lines(n + 10, n + 14));
        expected += sum_of(n, n + 14);
        n += 15;
        for (int i = round; i >= 1; --i)
          files.rename(kPath + "." + std::to_string(i), kPath + "." + std::to_string(i + 1));
        files.create(kPath + ".1", files.content(kPath));
        if (looks_between)
          follower.drain();
        files.truncate(kPath, 0);
        if (round % 2 == 0)
          follower.drain();
        files.append(kPath, line(n));
        expected += n++;
        follower.drain();
        if (round % 3 == 1)
          follower.restart();
      }
      follower.wait(seconds(300));
      CHECK(follower.tokens() == expected);
    }
  }
}

TEST_CASE("a copy that grows while it is made is no file of its own") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kPath + "*")});
  files.append(kPath, lines(1, 100));
  follower.drain();
  const std::string content = files.content(kPath);
  files.create(kPath + ".1", "");
  for (std::size_t at = 0; at < content.size(); at += 500) {
    files.append(kPath + ".1", content.substr(at, 500));
    follower.drain();
  }
  files.truncate(kPath, 0);
  files.append(kPath, line(1000));
  follower.drain();
  follower.restart();
  follower.drain();
  CHECK(follower.tokens() == sum_of(1, 100) + 1000);
}

TEST_CASE("a short copy of what was read further before it was truncated is not read again") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kPath + "*")});
  files.append(kPath, lines(1, 3));
  files.create(kPath + ".1", files.content(kPath));
  files.append(kPath, lines(4, 40));  // written between copying and truncation
  const bool looks_between = GENERATE(true, false);
  const bool restarts = GENERATE(true, false);
  CAPTURE(looks_between, restarts);
  files.set_time(follower.clock.now().wall);
  if (looks_between)
    follower.drain();
  files.truncate(kPath, 0);
  files.append(kPath, lines(100, 105));
  if (restarts)
    follower.restart();
  follower.drain();
  follower.restart();
  follower.drain();
  CHECK(follower.tokens() == (looks_between ? sum_of(1, 40) : sum_of(1, 3)) + sum_of(100, 105));
  CHECK(follower.counts.records == (looks_between ? 46 : 9));
}

TEST_CASE("a copy that is seen before the log itself gives its place to it") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kPath + "*")});
  files.append(kPath, lines(1, 20));
  follower.drain();
  files.truncate(kPath, 0);
  files.append(kPath, lines(50, 60));
  files.create(kPath + ".1", files.content(kPath));
  files.append(kPath, lines(61, 70));  // changed after its copy, so it is looked at later
  follower.drain();
  CHECK(follower.tokens() == sum_of(1, 20) + sum_of(50, 70));
  CHECK(follower.counts.records == 41);
  files.append(kPath, lines(71, 75));
  follower.restart();
  follower.drain();
  files.truncate(kPath, 0);
  files.append(kPath, line(1000));
  follower.drain();
  CHECK(follower.tokens() == sum_of(1, 20) + sum_of(50, 75) + 1000);
}

TEST_CASE("a log that is truncated while its copy is compared with it is not mistaken") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kPath + "*")});
  files.append(kPath, lines(1, 50));
  follower.drain();
  int reads = 0;
  const int at = GENERATE(1, 2, 3);
  CAPTURE(at);
  files.create(kPath + ".1", files.content(kPath));
  files.fault = [&](std::string_view operation, const std::string& path) -> Status {
    if (operation == "read_at" && path == kPath && ++reads == at) {
      files.truncate(kPath, 0);
      files.append(kPath, lines(100, 160));
    }
    return {};
  };
  follower.drain();
  follower.drain();
  const bool was_truncated = reads >= at;
  CHECK(follower.tokens() == sum_of(1, 50) + (was_truncated ? sum_of(100, 160) : 0));
  CHECK(was_truncated == (at <= 2));
}

TEST_CASE("logs that begin alike, or are alike, are logs of their own") {
  const auto count = [](const std::string& pattern, const std::string& one, const std::string& two,
                        auto change) {
    MemoryFileSystem files;
    Follower follower(files, {log_at("/logs/" + pattern)});
    files.append("/logs/" + one, lines(1, 20));
    files.append("/logs/" + two, lines(1, 20));
    follower.drain();
    change(files, "/logs/" + one, "/logs/" + two);
    follower.drain();
    follower.restart();
    follower.wait(seconds(200));
    return follower.tokens();
  };
  const auto nothing = [](const auto&...) {};
  // Two gateways that began with the same lines.
  CHECK(count("gw*.log", "gw1.log", "gw2.log", nothing) == 2 * sum_of(1, 20));
  CHECK(count("gw*.log", "gw.log", "gw-2.log", nothing) == 2 * sum_of(1, 20));
  CHECK(count("*/usage.log", "gw1/usage.log", "gw2/usage.log", nothing) == 2 * sum_of(1, 20));
  // Also when one of them begins anew: the other is not what was in it.
  const auto truncate_first = [](auto& files, const auto& one, const auto&) {
    files.truncate(one, 0);
    files.append(one, line(1000));
  };
  CHECK(count("gw*.log", "gw1.log", "gw2.log", truncate_first) == 2 * sum_of(1, 20) + 1000);
  // What rotation calls so is a copy.
  for (const char* copy :
       {"gw.log.1", "gw.log-20260501", "gw-20260501.log", "gw.1.log", "gw.log.old"})
    CHECK(count("gw*", "gw.log", copy, nothing) == sum_of(1, 20));
  CHECK(count("*/gw.log*", "live/gw.log", "old/gw.log.1", nothing) == sum_of(1, 20));
  CHECK(count("*/gw.log*", "live/gw.log.1", "old/gw.log.1", nothing) == sum_of(1, 20));
}

TEST_CASE("a file rewritten under a new identity with the same content goes on where it was") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kPath)});
  files.append(kPath, lines(1, 10));
  follower.drain();
  files.create("/var/log/tmp", files.content(kPath) + line(11));  // as `sed -i` does it
  REQUIRE(files.remove(kPath));
  follower.wait(seconds(100));
  files.rename("/var/log/tmp", kPath);
  follower.drain();
  CHECK(follower.tokens() == sum_of(1, 11));
}
