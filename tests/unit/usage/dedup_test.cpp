#include <catch2/catch.hpp>

#include "follower.hpp"
#include "support/memory_files.hpp"

using namespace keyherd;
using namespace keyherd::test;
using model::RejectReason;

namespace {

const std::string kLog = "/var/log/a.log";

// A line worth `tokens` under a request id, as JSON text ("\"r1\"", "null", "7").
std::string request(const std::string& id, int tokens, const std::string& key = "k1") {
  std::string text = line(tokens, key);
  text.insert(1, "\"request_id\":" + id + ",");
  return text;
}

}  // namespace

TEST_CASE("a request id counts once: in one batch, in another, in another file") {
  MemoryFileSystem files;
  Follower follower(files, {log_at("/var/log/*.log")});
  files.append(kLog, request("\"r1\"", 1) + request("\"r2\"", 10) + request("\"r1\"", 1));
  follower.drain();
  CHECK(follower.tokens() == 11);
  CHECK(follower.counts.records == 2);
  CHECK(follower.rejected(RejectReason::duplicate) == 1);
  files.append(kLog, request("\"r2\"", 10));
  files.append("/var/log/b.log", request("\"r1\"", 1) + request("\"r3\"", 100));
  follower.drain();
  CHECK(follower.tokens() == 111);
  CHECK(follower.rejected(RejectReason::duplicate) == 3);
  CHECK(follower.counts.conflicts == 0);
}

TEST_CASE("a request id counts once across a restart and across a kill before the commit") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kLog)});
  files.append(kLog, request("\"r1\"", 1));
  follower.drain();
  follower.restart();
  files.append(kLog, request("\"r1\"", 1) + request("\"r2\"", 10));
  CHECK(follower.tailer->poll(follower.clock.now()).size() == 1);  // and killed
  follower.restart();
  files.append(kLog, request("\"r2\"", 10));
  follower.drain();
  CHECK(follower.tokens() == 11);
  CHECK(follower.rejected(RejectReason::duplicate) == 2);
}

TEST_CASE("the ids of a refused batch were never seen") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kLog)});
  files.append(kLog, request("\"r1\"", 1) + request("\"r2\"", 10));
  for (int i = 0; i < 3; ++i) {
    const auto refused = follower.tailer->poll(follower.clock.now());
    REQUIRE(refused.size() == 1);
    CHECK(refused.front().counts.records == 2);
    follower.tailer->rejected("gateway", refused.front().batch);
  }
  follower.drain();
  CHECK(follower.tokens() == 11);
}

TEST_CASE("the ids of a batch that a reload leaves without an answer were never seen") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kLog)});
  files.append(kLog, request("\"r1\"", 1));
  CHECK(follower.tailer->poll(follower.clock.now()).size() == 1);
  follower.tailer->set_logs({log_at("/var/log/a.lo?")});
  follower.drain();
  CHECK(follower.tokens() == 1);
}

TEST_CASE("lines with an empty id, or none, always count") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kLog)});
  for (int i = 0; i < 1'000; ++i)
    files.append(kLog, i % 3 == 0 ? request("\"\"", 1) : i % 3 == 1 ? request("null", 1) : line(1));
  follower.drain();
  CHECK(follower.tokens() == 1'000);
  CHECK(follower.rejected(RejectReason::duplicate) == 0);
}

TEST_CASE("of one id with different numbers the first is kept, and the conflict is counted") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kLog)});
  files.append(kLog, request("7", 5) + request("7", 6) + request("7", 5));
  follower.drain();
  CHECK(follower.tokens() == 5);
  CHECK(follower.rejected(RejectReason::duplicate) == 2);
  CHECK(follower.counts.conflicts == 1);
  REQUIRE(follower.samples.size() == 2);
  CHECK(follower.samples.front() == "duplicate: request_id at byte " +
                                        std::to_string(request("7", 5).size()) +
                                        " of /var/log/a.log");
}

TEST_CASE("each source has its own ids, and may do without") {
  MemoryFileSystem files;
  model::UsageLog all = log_at("/var/log/c.log", "c");
  all.dedup = false;
  Follower follower(files, {log_at(kLog, "a"), log_at("/var/log/b.log", "b"), all});
  files.append(kLog, request("\"r1\"", 1) + request("\"r1\"", 1));
  files.append("/var/log/b.log", request("\"r1\"", 10) + request("\"r1\"", 10));
  files.append("/var/log/c.log", request("\"r1\"", 100) + request("\"r1\"", 100));
  follower.drain();
  CHECK(follower.tokens() == 211);
}

TEST_CASE("a line that is rejected for another reason does not take its id") {
  MemoryFileSystem files;
  Follower follower(files, {log_at(kLog)});
  files.append(kLog, request("\"r1\"", 1, "nobody") + request("\"r1\"", 1));
  follower.drain();
  CHECK(follower.tokens() == 1);
  CHECK(follower.rejected(RejectReason::unknown_key) == 1);
}

TEST_CASE("what is kept of ids is bounded, in memory and in the store") {
  MemoryFileSystem files;
  usage::TailerOptions options;
  options.request_ids.max_ids = 20'000;
  Follower follower(files, {log_at(kLog)}, options);
  int id = 0;
  for (int batch = 0; batch < 100; ++batch) {
    std::string text;
    for (int i = 0; i < 1'000; ++i)
      text += request(std::to_string(++id), 1);
    files.append(kLog, text);
    follower.poll();
  }
  follower.drain();
  CHECK(follower.tokens() == 100'000);
  std::size_t stored = 0;
  for (const auto& block : follower.seen)
    stored += block.ids.size() / 10;
  CHECK(stored <= 21'000);
  CHECK(stored >= 15'000);
  files.append(kLog, request(std::to_string(id - 15'000), 1) + request("1", 1));
  follower.restart();
  follower.drain();
  CHECK(follower.tokens() == 100'001);
}
