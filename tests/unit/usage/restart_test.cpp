#include <catch2/catch.hpp>

#include "follower.hpp"
#include "support/memory_files.hpp"

using namespace keyherd;
using namespace keyherd::test;
using std::chrono::seconds;

namespace {
const std::string kRestartLog = "/var/log/a.log";
const std::string kRestartPatterns[] = {kRestartLog, "/var/log/a.log*"};

// Stops the follower, lets the world go on, starts it again and drains.
template <class World>
void while_stopped(Follower& follower, World&& world) {
  follower.tailer.reset();
  world();
  follower.start();
  follower.drain();
}
}  // namespace

TEST_CASE("after a stop reading goes on behind the last committed line") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kRestartLog)});
  files.append(kRestartLog, lines(1, 5));
  follower.drain();
  while_stopped(follower, [&] { files.append(kRestartLog, lines(6, 9)); });
  CHECK(follower.tokens() == sum_of(1, 9));
  while_stopped(follower, [] {});
  CHECK(follower.tokens() == sum_of(1, 9));
}

TEST_CASE("what was read but not committed before a kill is read again") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kRestartLog)});
  files.append(kRestartLog, lines(1, 5));
  CHECK(follower.tailer->poll(follower.clock.now()).size() == 1);
  follower.restart();
  follower.drain();
  CHECK(follower.tokens() == sum_of(1, 5));
}

TEST_CASE("a rotation while stopped loses and doubles nothing") {
  for (const std::string& pattern : kRestartPatterns) {
    CAPTURE(pattern);
    MemoryFileSystem files;
    Follower follower(files, {log_at(pattern)});
    files.append(kRestartLog, lines(1, 5));
    follower.drain();
    while_stopped(follower, [&] {
      files.append(kRestartLog, lines(6, 7));
      files.rename(kRestartLog, kRestartLog + ".1");
      files.append(kRestartLog, lines(100, 105));
    });
    CHECK(follower.tokens() == sum_of(1, 7) + sum_of(100, 105));
    files.append(kRestartLog + ".1", line(8));
    follower.drain();
    CHECK(follower.tokens() == sum_of(1, 8) + sum_of(100, 105));
  }
}

TEST_CASE("five rotations while stopped are all read, once") {
  for (const std::string& pattern : kRestartPatterns) {
    CAPTURE(pattern);
    MemoryFileSystem files;
    Follower follower(files, {log_at(pattern)});
    files.append(kRestartLog, lines(1, 5));
    follower.drain();
    while_stopped(follower, [&] {
      for (int round = 1; round <= 5; ++round) {
        files.append(kRestartLog, lines(round * 100, round * 100 + 5));
        for (int i = round - 1; i >= 1; --i)
          files.rename(kRestartLog + "." + std::to_string(i),
                       kRestartLog + "." + std::to_string(i + 1));
        files.rename(kRestartLog, kRestartLog + ".1");
      }
      files.append(kRestartLog, line(1000));
    });
    std::int64_t expected = sum_of(1, 5) + 1000;
    for (int round = 1; round <= 5; ++round)
      expected += sum_of(round * 100, round * 100 + 5);
    CHECK(follower.tokens() == expected);
    while_stopped(follower, [] {});
    CHECK(follower.tokens() == expected);
  }
}

TEST_CASE("names with dates are found behind the name that they had") {
  MemoryFileSystem files;
  Follower follower(files, {log_at("/var/log/usage.jsonl")});
  files.append("/var/log/usage.jsonl", lines(1, 5));
  follower.drain();
  while_stopped(follower, [&] {
    files.append("/var/log/usage.jsonl", line(6));
    files.rename("/var/log/usage.jsonl", "/var/log/usage-20260501.jsonl");
    files.append("/var/log/usage.jsonl", line(10));
  });
  CHECK(follower.tokens() == sum_of(1, 6) + 10);
}

TEST_CASE("truncation while stopped is seen, whatever the file grew to, and only once") {
  for (const int last : {102, 180}) {
    CAPTURE(last);
    MemoryFileSystem files;
    Follower follower(files, {log_at(kRestartLog)});
    files.append(kRestartLog, lines(1, 20));
    follower.drain();
    while_stopped(follower, [&] {
      files.truncate(kRestartLog, 0);
      files.append(kRestartLog, lines(100, last));
    });
    const std::int64_t expected = sum_of(1, 20) + sum_of(100, last);
    CHECK(follower.tokens() == expected);
    CHECK(follower.counts.truncations == 1);
    while_stopped(follower, [] {});
    while_stopped(follower, [] {});
    CHECK(follower.tokens() == expected);
    CHECK(follower.counts.truncations == 1);
  }
}

TEST_CASE("a new file with the identity of a deleted one is a new file") {
  for (const bool same_head : {false, true}) {
    for (const bool stopped : {false, true}) {
      CAPTURE(same_head, stopped);
      MemoryFileSystem files;
      Follower follower(files, {log_at(kRestartLog)});
      const std::string head = same_head ? "# " + std::string(2'046, 'h') + "\n" : "";
      files.append(kRestartLog, head + lines(1, 5));
      follower.drain();
      const auto deed = [&] {
        files.reuse_identity_of(kRestartLog);
        REQUIRE(files.remove(kRestartLog));
        files.create(kRestartLog, head + lines(100, 140));
      };
      if (stopped) {
        while_stopped(follower, deed);
      } else {
        follower.restart();  // closes the file: only then can its identity be used again
        deed();
        follower.drain();
      }
      CHECK(follower.tokens() == sum_of(1, 5) + sum_of(100, 140));
    }
  }
}

TEST_CASE("a file system that was mounted anew changes identities, not what was read") {
  MemoryFileSystem files;
  Follower follower(files, {log_at("/var/log/*.log")});
  files.append(kRestartLog, lines(1, 30));
  files.append("/var/log/b.log", lines(1000, 1030));
  follower.drain();
  while_stopped(follower, [&] {
    for (const std::string path : {"/var/log/a.log", "/var/log/b.log"}) {
      const std::string content = files.content(path);
      REQUIRE(files.remove(path));
      files.create(path, content);
    }
    files.append(kRestartLog, line(31));
  });
  CHECK(follower.tokens() == sum_of(1, 31) + sum_of(1000, 1030));
  files.append("/var/log/b.log", line(1));
  follower.drain();
  CHECK(follower.tokens() == sum_of(1, 31) + sum_of(1000, 1030) + 1);
}

TEST_CASE("copy and truncate while stopped: the unread lines are read from the copy") {
  for (const std::string& pattern : kRestartPatterns) {
    CAPTURE(pattern);
    MemoryFileSystem files;
    Follower follower(files, {log_at(pattern)});
    files.append(kRestartLog, lines(1, 10));
    follower.drain();
    while_stopped(follower, [&] {
      files.append(kRestartLog, lines(11, 15));
      files.create(kRestartLog + ".1", files.content(kRestartLog));
      files.truncate(kRestartLog, 0);
      files.append(kRestartLog, line(100));
    });
    CHECK(follower.tokens() == sum_of(1, 15) + 100);
    while_stopped(follower, [] {});
    CHECK(follower.tokens() == sum_of(1, 15) + 100);
  }
}

TEST_CASE("cursors of files long gone are dropped, those of files that are there are kept") {
  MemoryFileSystem files;
  usage::TailerOptions options;
  options.keep_cursors = std::chrono::hours(1);
  Follower follower(files, {log_at("/var/log/*.log")}, options);
  files.append(kRestartLog, line(1));
  files.append("/var/log/b.log", line(2));
  follower.drain();
  REQUIRE(files.remove(kRestartLog));
  follower.wait(seconds(1'000));
  CHECK(follower.store.size() == 2);
  follower.wait(seconds(4'000));
  REQUIRE(follower.store.size() == 1);
  CHECK(follower.store.begin()->second.path == "/var/log/b.log");
}

TEST_CASE("cursors of many files gone are bounded") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kRestartLog)});
  for (int i = 0; i < 400; ++i) {
    files.append(kRestartLog, line(i + 1));
    follower.poll();
    files.truncate(kRestartLog, 0);
  }
  follower.drain();
  follower.wait(seconds(20));
  CHECK(follower.tokens() == sum_of(1, 400));
  CHECK(follower.store.size() <= 260);
}

TEST_CASE("more files than may be open are all read") {
  MemoryFileSystem files;
  usage::TailerOptions options;
  options.max_open_files = 4;
  Follower follower(files, {log_at("/var/log/*.log")}, options);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 30; ++i)
      files.append("/var/log/" + std::to_string(i) + ".log", line(1 + i + 100 * round));
    follower.drain();
  }
  CHECK(follower.tokens() == sum_of(1, 30) + sum_of(101, 130) + sum_of(201, 230));
}
