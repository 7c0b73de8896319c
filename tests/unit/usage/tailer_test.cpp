#include <catch2/catch.hpp>

#include "follower.hpp"
#include "support/memory_files.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::RejectReason;

namespace {
constexpr const char* kTailedLog = "/var/log/a.log";
}

TEST_CASE("a source with nothing to say says nothing") {
  MemoryFileSystem files;
  files.append(kTailedLog, line(1));
  Follower follower(files, {log_at(kTailedLog)});
  follower.drain();
  CHECK(follower.poll().empty());
  CHECK(follower.poll().empty());
}

TEST_CASE("a tally carries rows, counts, status and cursors of its lines") {
  MemoryFileSystem files;
  files.append(kTailedLog, line(1) + line(2, "k2") + "bad\n" + line(3, "nobody"));
  Follower follower(files, {log_at(kTailedLog)});
  const auto tallies = follower.poll();
  REQUIRE(tallies.size() == 1);
  const model::Tally& tally = tallies.front();
  CHECK(tally.source == "gateway");
  CHECK(tally.batch == 1);
  CHECK(tally.usage.size() == 2);
  CHECK(tally.minutes.size() == 1);
  CHECK(tally.successes.size() == 2);
  CHECK(tally.counts.records == 2);
  CHECK(tally.counts.read_bytes == static_cast<std::int64_t>(files.content(kTailedLog).size()));
  CHECK(tally.samples.size() == 2);
  REQUIRE(tally.cursors.size() == 1);
  CHECK(tally.cursors.front().id == 1);
  CHECK(tally.cursors.front().path == kTailedLog);
  CHECK(tally.status.up);
  CHECK(tally.status.lag_bytes == 0);
  CHECK(tally.status.files == 1);
  CHECK(tally.status.last_record_at == *parse_rfc3339("2026-05-01T00:00:00Z"));
}

TEST_CASE("a source is not read on while a batch of it waits, its lag keeps growing") {
  MemoryFileSystem files;
  files.append(kTailedLog, line(1));
  files.append("/var/log/b.log", line(5));
  Follower follower(files, {log_at(kTailedLog, "a"), log_at("/var/log/b.log", "b")});
  follower.poll();
  files.append(kTailedLog, line(2));
  const auto first = follower.tailer->poll(follower.clock.now());
  REQUIRE(first.size() == 1);
  files.append(kTailedLog, line(4));
  files.append("/var/log/b.log", line(6));
  const auto second = follower.tailer->poll(follower.clock.now());
  REQUIRE(second.size() == 2);
  CHECK(second[0].source == "a");
  CHECK(second[0].batch == 0);
  CHECK(second[0].usage.empty());
  CHECK(second[0].status.lag_bytes == line(4).size());
  CHECK(second[1].source == "b");
  CHECK(second[1].usage.size() == 1);
  for (const auto& tally : second)
    follower.commit(tally);
  follower.commit(first.front());
  follower.drain();
  CHECK(follower.tokens() == 1 + 2 + 4 + 5 + 6);
}

TEST_CASE("a rejected batch is read again, whole and once") {
  MemoryFileSystem files;
  Follower follower(files, {log_at("/var/log/*.log")});
  files.append(kTailedLog, lines(1, 3));
  follower.drain();
  files.append(kTailedLog, lines(4, 5));
  files.append("/var/log/b.log", lines(100, 101));
  for (int i = 0; i < 3; ++i) {
    const auto refused = follower.tailer->poll(follower.clock.now());
    REQUIRE(refused.size() == 1);
    CHECK(refused.front().counts.records == 4 + i);
    follower.tailer->rejected("gateway", refused.front().batch);
    files.append(kTailedLog, line(6 + i));
  }
  follower.drain();
  CHECK(follower.tokens() == sum_of(1, 8) + 201);
}

TEST_CASE("a rejected batch that saw a truncation sees it again") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kTailedLog)});
  files.append(kTailedLog, lines(1, 5));
  follower.drain();
  files.truncate(kTailedLog, 0);
  files.append(kTailedLog, line(10));
  const auto refused = follower.tailer->poll(follower.clock.now());
  REQUIRE(refused.size() == 1);
  CHECK(refused.front().counts.truncations == 1);
  follower.tailer->rejected("gateway", refused.front().batch);
  files.append(kTailedLog, lines(11, 20));
  follower.drain();
  CHECK(follower.tokens() == sum_of(1, 5) + sum_of(10, 20));
}

TEST_CASE("answers to batches that do not wait are ignored") {
  MemoryFileSystem files;
  files.append(kTailedLog, line(1));
  Follower follower(files, {log_at(kTailedLog)});
  const auto tallies = follower.tailer->poll(follower.clock.now());
  follower.tailer->rejected("gateway", 77);
  follower.tailer->rejected("other", 1);
  follower.commit(tallies.at(0));
  follower.tailer->rejected("gateway", tallies.at(0).batch);
  follower.drain();
  CHECK(follower.tokens() == 1);
}

TEST_CASE("a poll reads no more than a batch, and every file gets its share") {
  MemoryFileSystem files;
  for (const char* name : {"a", "b", "c"})
    files.append("/var/log/" + std::string(name) + ".log", lines(1, 2000, "k1") + line(name[0]));
  usage::TailerOptions options;
  options.chunk_bytes = 4'096;
  options.batch_bytes = 60'000;
  model::UsageLog log = log_at("/var/log/*.log");
  log.max_line_bytes = 1'000;
  Follower follower(files, {log}, options);
  const auto first = follower.poll();
  REQUIRE(first.size() == 1);
  CHECK(first.front().counts.read_bytes <= 60'000 + 3 * 4'096);
  CHECK(first.front().cursors.size() == 3);
  CHECK(follower.tailer->has_more());
  follower.drain();
  CHECK_FALSE(follower.tailer->has_more());
  CHECK(follower.tokens() == 3 * sum_of(1, 2000) + 'a' + 'b' + 'c');
}

TEST_CASE("a large backlog keeps no other file waiting for more than a batch") {
  MemoryFileSystem files;
  const auto stamped = [](int quarter) {  // each a row of its own
    std::string text = line(1);
    const std::string stamp =
        format_rfc3339(*parse_rfc3339("2026-05-01T00:00:00Z") - std::chrono::minutes(15 * quarter));
    return text.replace(text.find("2026-05-01T00:00:00Z"), stamp.size(), stamp);
  };
  constexpr int kBacklog = 5'000;
  for (int i = 0; i < kBacklog; ++i)
    files.append("/var/log/a-backlog.log", stamped(i));
  usage::TailerOptions options;
  options.chunk_bytes = 4'096;
  if (GENERATE(false, true))
    options.batch_rows = 60;
  else
    options.batch_bytes = 20'000;
  model::UsageLog log = log_at("/var/log/*.log");
  log.max_line_bytes = 1'000;
  Follower follower(files, {log}, options);
  int written = 0;
  int rounds = 0;
  for (; follower.tokens("k1") < kBacklog && rounds < kBacklog; ++rounds) {
    for (const char* name : {"b", "c", "d", "e", "z"})
      files.append("/var/log/" + std::string(name) + ".log", line(++written, "k2"));
    follower.poll();
    follower.poll();
    CHECK(follower.tokens("k2") == sum_of(1, written));
  }
  CHECK(rounds > 5);  // it was large enough to starve them
  CHECK(follower.tokens("k1") == kBacklog);
}

TEST_CASE("a missing file is a problem until it is there") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kTailedLog), log_at("/var/log/x*.log", "x")});
  follower.drain();
  CHECK_FALSE(follower.status["gateway"].up);
  CHECK(follower.status["gateway"].problem ==
        "examining /var/log/a.log: No such file or directory");
  CHECK(follower.status["x"].problem == "no file matches /var/log/x*.log");
  files.append(kTailedLog, line(1));
  files.append("/var/log/x1.log", line(2));
  follower.drain();
  CHECK(follower.status["gateway"].up);
  CHECK(follower.status["x"].up);
  CHECK(follower.tokens() == 3);
}

TEST_CASE("a file that cannot be read is tried again and holds up no other") {
  MemoryFileSystem files;
  files.append("/var/log/a.log", line(1));
  files.append("/var/log/b.log", line(2));
  for (const std::string operation : {"open", "read_at"}) {
    CAPTURE(operation);
    Follower follower(files, {log_at("/var/log/*.log")});
    files.fault = [&](std::string_view what, const std::string& path) -> Status {
      if (what == operation && path == "/var/log/a.log")
        return fail(ErrorCode::denied, "reading /var/log/a.log: Permission denied");
      return {};
    };
    for (int i = 0; i < 20; ++i)
      follower.poll();
    CHECK(follower.tokens() == 2);
    CHECK_FALSE(follower.status["gateway"].up);
    CHECK(follower.status["gateway"].problem == "reading /var/log/a.log: Permission denied");
    CHECK(follower.status["gateway"].lag_bytes == line(1).size());
    CHECK(follower.counts.read_errors > 1);
    CHECK(follower.counts.read_errors < 10);  // ever less often
    files.fault = nullptr;
    follower.wait(std::chrono::seconds(40));
    CHECK(follower.tokens() == 3);
    CHECK(follower.status["gateway"].up);
  }
}

TEST_CASE("failing calls at any point lose and double nothing") {
  for (int failing = 1; failing < 120; ++failing) {
    CAPTURE(failing);
    MemoryFileSystem files;
    int calls = 0;
    files.fault = [&](std::string_view, const std::string& path) -> Status {
      if (++calls % failing == 0 && failing > 2)
        return fail(ErrorCode::unavailable, "using " + path + ": Input/output error");
      return {};
    };
    Follower follower(files, {log_at("/var/log/a.log*")});
    for (int round = 0; round < 4; ++round) {
      files.append(kTailedLog, lines(1 + 10 * round, 10 + 10 * round));
      follower.poll();
      files.rename(kTailedLog, "/var/log/a.log." + std::to_string(4 - round));
    }
    files.fault = nullptr;
    follower.wait(std::chrono::seconds(120));
    CHECK(follower.tokens() == sum_of(1, 40));
  }
}

TEST_CASE("two sources whose patterns overlap read each file once") {
  MemoryFileSystem files;
  files.append("/var/log/a.log", line(1));
  files.append("/var/log/b.log", line(2));
  Follower follower(files, {log_at("/var/log/*.log", "all"), log_at("/var/log/a*", "some")});
  follower.drain();
  CHECK(follower.tokens() == 3);
  files.append("/var/log/a.log", "");
  follower.drain();
  CHECK(follower.notes ==
        std::vector<std::string>{
            "/var/log/a.log belongs to usage log all as well: it is counted there, once"});
  follower.restart();
  files.append("/var/log/a.log", line(4));
  follower.drain();
  CHECK(follower.tokens() == 7);
}

TEST_CASE("starting at the end is decided once, and whole lines only") {
  MemoryFileSystem files;
  model::UsageLog log = log_at("/var/log/*.log");
  log.start_at_end = true;
  files.append("/var/log/a.log", lines(1, 5) + line(6).substr(0, 20));
  Follower follower(files, {log});
  follower.drain();
  CHECK(follower.tokens() == 0);
  files.append("/var/log/a.log", line(6).substr(20) + line(7));
  files.append("/var/log/b.log", line(100));
  follower.drain();
  CHECK(follower.tokens() == 113);
  follower.restart();
  files.append("/var/log/c.log", line(1000));
  follower.drain();
  CHECK(follower.tokens() == 1113);
}

TEST_CASE("starting at the end is remembered even when there was no file") {
  MemoryFileSystem files;
  model::UsageLog log = log_at(kTailedLog);
  log.start_at_end = true;
  Follower follower(files, {log});
  follower.drain();
  CHECK(follower.store.size() == 1);
  follower.tailer.reset();
  files.append(kTailedLog, lines(1, 3));
  follower.start();
  follower.drain();
  CHECK(follower.tokens() == 6);
}

TEST_CASE("starting at the end in a line that is too long skips the rest of it") {
  MemoryFileSystem files;
  model::UsageLog log = log_at(kTailedLog);
  log.start_at_end = true;
  log.max_line_bytes = 1'000;
  files.append(kTailedLog, std::string(5'000, 'x'));
  Follower follower(files, {log});
  follower.drain();
  files.append(kTailedLog, "yyy\n" + line(3));
  follower.drain();
  CHECK(follower.tokens() == 3);
  CHECK(follower.counts.rejected == model::SourceCounts().rejected);
}

TEST_CASE("a reload keeps sources as they were, drops, adds and changes others") {
  MemoryFileSystem files;
  files.append("/var/log/a.log", line(1));
  files.append("/var/log/b.log", line(2));
  files.append("/var/log/c.log", line(4));
  Follower follower(files, {log_at("/var/log/a.log", "a"), log_at("/var/log/b.log", "b")});
  follower.drain();
  CHECK(follower.tokens() == 3);
  const auto waiting = [&] {
    files.append("/var/log/a.log", line(10));
    return follower.tailer->poll(follower.clock.now());
  }();
  follower.tailer->set_logs({log_at("/var/log/a.log", "a"), log_at("/var/log/[bc].log", "b")});
  for (const auto& tally : waiting)
    follower.commit(tally);
  files.append("/var/log/b.log", line(20));
  follower.drain();
  CHECK(follower.tokens() == 3 + 10 + 4 + 20);
  follower.tailer->set_logs({});
  files.append("/var/log/a.log", line(1000));
  follower.drain();
  follower.tailer->set_logs({log_at("/var/log/a.log", "a")});
  follower.drain();
  CHECK(follower.tokens() == 1037);
}

TEST_CASE("a log that is taken out of the configuration and put back goes on where it was") {
  MemoryFileSystem files;
  files.append("/var/log/a.log", lines(1, 10));
  files.append("/var/log/b.log", line(1000));
  const auto a = log_at("/var/log/a.log", "a");
  const auto b = log_at("/var/log/b.log", "b");
  Follower follower(files, {a, b});
  follower.drain();
  const bool restarts = GENERATE(false, true);
  const auto configure = [&](std::vector<model::UsageLog> logs) {
    follower.configure(std::move(logs), restarts);
    follower.drain();
  };
  configure({b});
  files.append("/var/log/a.log", lines(11, 20));
  files.rename("/var/log/a.log", "/var/log/a.log.1");
  files.append("/var/log/a.log", line(500));
  configure({b});
  CHECK(follower.tokens() == sum_of(1, 10) + 1000);
  configure({a, b});
  CHECK(follower.tokens() == sum_of(1, 20) + 1000 + 500);
  configure({a});
  CHECK(follower.tokens() == sum_of(1, 20) + 1000 + 500);
}

TEST_CASE("a format that is not understood is the source's problem, not the agent's") {
  MemoryFileSystem files;
  files.append(kTailedLog, line(1));
  model::UsageLog bad = log_at(kTailedLog, "bad");
  bad.format = "nonsense";
  Follower follower(files, {bad, log_at("/var/log/b.log", "b")});
  files.append("/var/log/b.log", line(2));
  follower.drain();
  CHECK(follower.tokens() == 2);
  CHECK(follower.status["bad"].problem ==
        "usage_logs.bad: unknown format \"nonsense\"; use a preset, \"keyherd\" or `fields`");
}

TEST_CASE("directories are where new lines and files appear") {
  MemoryFileSystem files;
  files.append("/srv/x/use.log", line(1));
  Follower follower(files, {log_at("/var/log/a*.log", "a"), log_at("/srv/*/use.log", "b"),
                            log_at("/var/log/z.log", "c")});
  follower.drain();
  CHECK(follower.tailer->directories() == std::vector<std::string>{"/srv", "/srv/x", "/var/log"});
}
