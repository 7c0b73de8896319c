#include <zlib.h>
#include <catch2/catch.hpp>

#include <array>

#include "follower.hpp"
#include "support/memory_files.hpp"
#include "usage/gzip_file.hpp"

using namespace keyherd;
using namespace keyherd::test;
using std::chrono::seconds;

namespace {

const std::string kPackedLog = "/var/log/a.log";

std::string gzip(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

model::UsageLog packed_log(const std::string& path, bool read_gz = true) {
  model::UsageLog log = log_at(path);
  log.read_gz = read_gz;
  return log;
}

// As gzip(1) does it: the modification time is kept, the original removed last.
void compress(MemoryFileSystem& files, const std::string& path) {
  const auto stat = files.stat(path);
  REQUIRE(stat);
  files.create(path + ".gz", gzip(files.content(path)));
  files.set_modified(path + ".gz", stat->modified);
  REQUIRE(files.remove(path));
}

std::unique_ptr<usage::GzipFile> unpacked(MemoryFileSystem& files, const std::string& content) {
  files.create("/x.gz", content);
  auto packed = files.open("/x.gz");
  REQUIRE(packed);
  auto file = usage::GzipFile::open(std::move(*packed), "/x.gz");
  REQUIRE(file);
  return std::move(*file);
}

std::string read_all(const ReadableFile& file, std::size_t at_once) {
  std::string text;
  std::string buffer(at_once, '\0');
  while (true) {
    const auto got = file.read_at(text.size(), buffer);
    REQUIRE(got);
    if (*got == 0)
      return text;
    text.append(buffer, 0, *got);
  }
}

}  // namespace

TEST_CASE("a gzip file reads as what was compressed, from any place, in any order") {
  MemoryFileSystem files;
  const std::string text = lines(1, 5'000);
  const auto file = unpacked(files, gzip(text));
  CHECK(file->is_complete());
  CHECK(file->stat()->size == text.size());
  for (const std::size_t at_once : {std::size_t{777}, std::size_t{65'536}, std::size_t{1} << 20U})
    CHECK(read_all(*file, at_once) == text);
  std::string buffer(100, '\0');
  for (const std::size_t at : {400'000U, 10U, 0U, 250'000U, 249'990U, 90'000U}) {
    REQUIRE(file->read_at(at, buffer).value() == 100);
    CHECK(buffer == text.substr(at, 100));
  }
  CHECK(file->read_at(text.size(), buffer).value() == 0);
}

TEST_CASE("members follow each other, what is no member behind them is ignored") {
  MemoryFileSystem files;
  const auto file = unpacked(files, gzip(lines(1, 3)) + gzip(lines(4, 5)) + "trailing garbage");
  CHECK(file->is_complete());
  CHECK(read_all(*file, 4'096) == lines(1, 5));
}

TEST_CASE("a gzip file cut at any byte is incomplete, and reads as far as it goes") {
  MemoryFileSystem files;
  const std::string text = lines(1, 40);
  const std::string whole = gzip(text);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    const auto file = unpacked(files, whole.substr(0, length));
    CHECK_FALSE(file->is_complete());
    const std::string got = read_all(*file, 4'096);
    CHECK(got == text.substr(0, got.size()));
  }
  std::string damaged = whole;
  damaged[damaged.size() - 6] ^= 1;  // in the check sum
  CHECK_FALSE(unpacked(files, damaged)->is_complete());
}

TEST_CASE("compressed while stopped and behind: the rest is read from the .gz, once") {
  for (const std::string pattern : {"/var/log/a.log", "/var/log/a.log*"}) {
    CAPTURE(pattern);
    MemoryFileSystem files;
    Follower follower(files, {packed_log(pattern)});
    files.append(kPackedLog, lines(1, 20));
    follower.drain();
    follower.tailer.reset();
    files.append(kPackedLog, lines(21, 30));
    files.rename(kPackedLog, kPackedLog + ".1");
    compress(files, kPackedLog + ".1");
    files.append(kPackedLog, lines(100, 105));
    follower.start();
    follower.drain();
    CHECK(follower.tokens() == sum_of(1, 30) + sum_of(100, 105));
    CHECK(follower.counts.lost_bytes == 0);
    follower.restart();
    follower.wait(seconds(200));
    follower.restart();
    follower.drain();
    CHECK(follower.tokens() == sum_of(1, 30) + sum_of(100, 105));
  }
}

TEST_CASE("two generations compressed while stopped are read in their order, once") {
  for (const std::string pattern : {"/var/log/a.log", "/var/log/a.log*"}) {
    CAPTURE(pattern);
    MemoryFileSystem files;
    Follower follower(files, {packed_log(pattern)});
    files.append(kPackedLog, lines(1, 20));
    follower.drain();
    follower.tailer.reset();
    files.append(kPackedLog, lines(21, 30));
    files.rename(kPackedLog, kPackedLog + ".1");
    files.append(kPackedLog, lines(31, 40));
    compress(files, kPackedLog + ".1");
    files.rename(kPackedLog + ".1.gz", kPackedLog + ".2.gz");
    files.rename(kPackedLog, kPackedLog + ".1");
    compress(files, kPackedLog + ".1");
    files.append(kPackedLog, line(100));
    follower.start();
    follower.drain();
    CHECK(follower.tokens() == sum_of(1, 40) + 100);
    follower.restart();
    follower.wait(seconds(200));
    CHECK(follower.tokens() == sum_of(1, 40) + 100);
  }
}

TEST_CASE("compressed while running, read to its end before: nothing again") {
  for (const std::string pattern : {"/var/log/a.log", "/var/log/a.log*"}) {
    CAPTURE(pattern);
    MemoryFileSystem files;
    Follower follower(files, {packed_log(pattern)});
    for (int round = 0; round < 4; ++round) {
      files.append(kPackedLog, lines(1 + 10 * round, 10 + 10 * round));
      follower.poll();
      for (int i = round; i >= 1; --i)
        files.rename(kPackedLog + "." + std::to_string(i) + ".gz",
                     kPackedLog + "." + std::to_string(i + 1) + ".gz");
      files.rename(kPackedLog, kPackedLog + ".1");
      follower.poll();
      const std::string packed = gzip(files.content(kPackedLog + ".1"));
      files.create(kPackedLog + ".1.gz", packed.substr(0, packed.size() / 2));
      follower.poll();
      files.append(kPackedLog + ".1.gz", packed.substr(packed.size() / 2));
      follower.poll();
      REQUIRE(files.remove(kPackedLog + ".1"));
      follower.wait(seconds(round % 2 == 0 ? 0 : 200));
      if (round == 2)
        follower.restart();
    }
    files.append(kPackedLog, line(100));
    follower.wait(seconds(200));
    follower.restart();
    follower.wait(seconds(200));
    CHECK(follower.tokens() == sum_of(1, 40) + 100);
  }
}

TEST_CASE("a .gz that is still being written is waited for, a damaged one gives its whole lines") {
  MemoryFileSystem files;
  Follower follower(files, {packed_log("/var/log/*.gz")});
  const std::string packed = gzip(lines(1, 2'000));
  files.create("/var/log/b.gz", packed.substr(0, packed.size() / 2));
  files.set_modified("/var/log/b.gz", follower.clock.now().wall);
  for (int i = 0; i < 5; ++i)
    follower.poll();
  CHECK(follower.tokens() == 0);
  CHECK(follower.counts.read_errors == 0);
  SECTION("it becomes whole") {
    files.append("/var/log/b.gz", packed.substr(packed.size() / 2));
    follower.wait(seconds(20));
    CHECK(follower.tokens() == sum_of(1, 2'000));
    CHECK(follower.counts.read_errors == 0);
  }
  SECTION("it stays as it is") {
    follower.wait(seconds(200));
    CHECK(follower.tokens() > 0);
    CHECK(follower.counts.read_errors == 1);
    const auto tokens = follower.tokens();
    CHECK(follower.counts.records > 100);
    CHECK(tokens == sum_of(1, static_cast<int>(follower.counts.records)));
    follower.restart();
    follower.wait(seconds(200));
    CHECK(follower.tokens() == tokens);
  }
}

TEST_CASE("one line of a gigabyte in a .gz is one line that is too long") {
  MemoryFileSystem files;
  Follower follower(files, {packed_log("/var/log/*.gz")});
  files.create("/var/log/bomb.gz", gzip(std::string(64U << 20U, 'x') + "\n" + line(1)));
  follower.drain();
  CHECK(follower.tokens() == 1);
  CHECK(follower.rejected(model::RejectReason::too_long) == 1);
}

TEST_CASE("without read_gz a .gz is passed over, and what was unread in it is counted as lost") {
  for (const std::string pattern : {"/var/log/a.log", "/var/log/a.log*"}) {
    CAPTURE(pattern);
    MemoryFileSystem files;
    Follower follower(files, {packed_log(pattern, false)});
    files.append(kPackedLog, lines(1, 20));
    follower.drain();
    follower.tailer.reset();
    files.append(kPackedLog, lines(21, 30));
    files.rename(kPackedLog, kPackedLog + ".1");
    compress(files, kPackedLog + ".1");
    files.append(kPackedLog, lines(100, 105));
    follower.start();
    follower.drain();
    CHECK(follower.tokens() == sum_of(1, 20) + sum_of(100, 105));
    CHECK(follower.counts.lost_bytes == static_cast<std::int64_t>(lines(21, 30).size()));
    CHECK(follower.rejected(model::RejectReason::bad_json) == 0);
  }
  MemoryFileSystem files;
  Follower follower(files, {packed_log("/var/log/b.gz", false)});
  files.create("/var/log/b.gz", gzip(line(1)));
  follower.drain();
  CHECK(follower.status["gateway"].problem ==
        "/var/log/b.gz is compressed; a .gz is read with read_gz = true");
}
