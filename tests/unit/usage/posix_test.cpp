#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <vector>

#include "follower.hpp"
#include "support/temp_dir.hpp"

using namespace keyherd;
using namespace keyherd::test;
namespace fs = std::filesystem;

namespace {
// Links of this process's descriptors that lead below the directory.
std::vector<std::string> open_below(const std::string& directory) {
  std::vector<std::string> open;
  for (const auto& each : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string link = fs::read_symlink(each, gone).string();
    if (link.starts_with(directory))
      open.push_back(link);
  }
  return open;
}

std::int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t size = 0;
  std::int64_t resident = 0;
  statm >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

void append(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::app | std::ios::binary) << text;
}
}  // namespace

TEST_CASE("a new file on a real file system that got the inode of the old one is read whole") {
  TempDir dir;
  const auto files = make_posix_file_system();
  const std::string path = dir / "a.log";
  const std::string head = "# " + std::string(2'046, 'h') + "\n";
  append(path, head + lines(1, 5));
  Follower follower(*files, {log_at(path)});
  follower.drain();
  follower.tailer.reset();
  const auto before = files->stat(path);
  fs::remove(path);
  append(path, head + lines(100, 150));
  const auto after = files->stat(path);
  REQUIRE(before);
  REQUIRE(after);
  if (before->id.inode != after->id.inode)
    WARN("this file system does not use inodes again: only half of the case is tested");
  follower.start();
  follower.drain();
  CHECK(follower.tokens() == sum_of(1, 5) + sum_of(100, 150));
}

TEST_CASE("a symbolic link that is pointed elsewhere leaves both files read") {
  TempDir dir;
  const auto files = make_posix_file_system();
  append(dir / "one.1", lines(1, 3));
  fs::create_symlink(dir / "one.1", dir / "current");
  Follower follower(*files, {log_at(dir / "current")});
  follower.drain();
  append(dir / "two.2", lines(100, 101));
  fs::remove(dir / "current");
  fs::create_symlink(dir / "two.2", dir / "current");
  for (int n = 4; n <= 10; ++n) {
    append(dir / "one.1", line(n));
    append(dir / "two.2", line(200 + n));
    follower.poll();
  }
  follower.drain();
  CHECK(follower.tokens() == sum_of(1, 10) + 201 + sum_of(204, 210));
}

TEST_CASE("what is no regular file is refused without waiting, the others go on") {
  TempDir dir;
  const auto files = make_posix_file_system();
  fs::create_directory(dir / "d.log");
  REQUIRE(::mkfifo((dir / "f.log").c_str(), 0600) == 0);
  fs::create_symlink(dir / "loop.log", dir / "loop.log");
  fs::create_symlink(dir / "nowhere", dir / "dangling.log");
  fs::create_symlink("/dev/zero", dir / "zero.log");
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (dir / "s.log").copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  append(dir / "good.log", line(1));
  Follower follower(*files, {log_at(dir / "*.log"), log_at(dir / "f.log", "fifo")});
  follower.drain();
  CHECK(follower.tokens() == 1);
  CHECK(follower.status["gateway"].files == 1);
  CHECK(follower.status["fifo"].problem == dir / "f.log" + " is not a regular file");
  ::close(listener);
}

TEST_CASE("hard links and overlapping patterns are one file") {
  TempDir dir;
  const auto files = make_posix_file_system();
  append(dir / "a.log", line(1));
  fs::create_hard_link(dir / "a.log", dir / "b.log");
  fs::create_symlink(dir / "a.log", dir / "c.log");
  Follower follower(*files, {log_at(dir / "*.log"), log_at(dir / "[ab].log", "again")});
  follower.drain();
  append(dir / "b.log", line(2));
  follower.drain();
  CHECK(follower.tokens() == 3);
  CHECK(follower.counts.renames == 0);
}

TEST_CASE("a hole of two gigabytes costs nothing") {
  TempDir dir;
  const auto files = make_posix_file_system();
  const std::string path = dir / "a.log";
  append(path, lines(1, 3));
  Follower follower(*files, {log_at(path)});
  follower.drain();
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  const std::string text = lines(10, 12);
  REQUIRE(::ftruncate(fd, 0) == 0);
  REQUIRE(::pwrite(fd, text.data(), text.size(), 2'000'000'123) ==
          static_cast<ssize_t>(text.size()));
  ::close(fd);
  const std::int64_t before = resident_bytes();
  const std::clock_t started = std::clock();
  follower.poll();
  follower.poll();
  CHECK(std::clock() - started < CLOCKS_PER_SEC);
  CHECK(resident_bytes() - before < 8 << 20);
  CHECK(follower.tokens() == sum_of(1, 3) + sum_of(10, 12));
  CHECK(follower.counts.rejected == model::SourceCounts().rejected);
}

TEST_CASE("a line of three gigabytes costs itself alone, across a restart, in bounded memory") {
  TempDir dir;
  const auto files = make_posix_file_system();
  const std::string path = dir / "a.log";
  append(path, line(1) + "x");
  const auto begin = fs::file_size(path);
  fs::resize_file(path, begin + (std::uint64_t{3} << 30U));  // its rest is a hole
  append(path, "\n" + line(2));
  usage::TailerOptions options;
  options.batch_bytes = std::uint64_t{512} << 20U;
  Follower follower(*files, {log_at(path)}, options);
  const std::int64_t before = resident_bytes();
  for (int i = 0; i < 3; ++i)
    follower.poll();
  CHECK(follower.tokens() == 1);
  follower.restart();
  follower.drain();
  CHECK(follower.tokens() == 3);
  CHECK(follower.rejected(model::RejectReason::too_long) == 1);
  CHECK(resident_bytes() - before < 16 << 20);
}

TEST_CASE("a log that is deleted while open is read to its end and let go within the grace") {
  TempDir dir;
  const auto files = make_posix_file_system();
  const std::string path = dir / "a.log";
  append(path, line(1));
  Follower follower(*files, {log_at(path)});
  follower.drain();
  append(path, line(2));
  fs::remove(path);
  follower.drain();
  CHECK(follower.tokens() == 3);
  CHECK(open_below(dir.path()).size() == 1);
  follower.wait(std::chrono::seconds(80));
  CHECK(open_below(dir.path()).empty());
}

TEST_CASE("a file without permission is read once it has it") {
  if (::geteuid() == 0) {
    SUCCEED("root may read everything");
    return;
  }
  TempDir dir;
  const auto files = make_posix_file_system();
  append(dir / "a.log", line(1));
  fs::permissions(dir / "a.log", fs::perms::none);
  Follower follower(*files, {log_at(dir / "a.log")});
  follower.drain();
  CHECK_FALSE(follower.status["gateway"].up);
  fs::permissions(dir / "a.log", fs::perms::owner_read);
  follower.wait(std::chrono::seconds(40));
  CHECK(follower.tokens() == 1);
}

TEST_CASE("copy and truncate against a writer that does not wait: no id twice, all that survived") {
  TempDir dir;
  const auto files = make_posix_file_system();
  const std::string path = dir / "a.log";
  // A writer that does not append goes on where it was: behind a hole in the truncated file, which
  // every copy fills. So it may write little more than is waited for.
  const int appends = GENERATE(O_APPEND, 0);
  const int ahead = appends != 0 ? 1'000'000 : 200;
  CAPTURE(appends);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | appends, 0600);
  REQUIRE(fd >= 0);
  const auto numbered = [](int n) {
    std::string text = line(1);
    return text.insert(1, "\"request_id\":\"" + std::to_string(n) + "\",");
  };
  std::atomic<int> written = 0;
  std::atomic<int> allowed = 0;
  std::jthread writer([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (written >= allowed) {
        std::this_thread::yield();
        continue;
      }
      const std::string text = numbered(++written);
      if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return;
    }
  });
  Follower follower(*files, {log_at(path + "*")});
  // The file system stamps by the real time: a copy that was made after the last look is told by
  // it.
  const auto look = [&] {
    follower.clock.step_wall(SystemClock().now().wall - follower.clock.now().wall);
    follower.poll();
  };
  constexpr int kRotations = 60;
  for (int i = 0; i < kRotations; ++i) {
    // Some copies are shorter than what files are known by.
    const int enough = written + (i % 5 == 0 ? 3 : 60);
    allowed = enough + ahead;
    while (written < enough)
      std::this_thread::yield();
    for (int looks = i % 3; looks > 0; --looks)
      look();
    fs::copy_file(path, path + "." + std::to_string(i));
    if (i % 4 == 0)
      look();
    REQUIRE(::truncate(path.c_str(), 0) == 0);
  }
  writer.request_stop();
  writer.join();
  ::close(fd);
  follower.drain();
  std::set<std::string> survived;
  for (const auto& entry : fs::directory_iterator(dir.path())) {
    std::ifstream log(entry.path());
    for (std::string text; std::getline(log, text);) {
      text.erase(0, text.find_first_not_of('\0'));
      if (!log.eof() && text.ends_with('}') && text.starts_with('{'))
        survived.insert(text);
    }
  }
  CHECK(survived.size() > 1'000);
  CHECK(follower.tokens() >= static_cast<std::int64_t>(survived.size()));
  CHECK(follower.tokens() <= written);
  CAPTURE(follower.samples);
  CHECK(follower.rejected(model::RejectReason::duplicate) == 0);
}

TEST_CASE("no more files are open than may be, and all are read") {
  TempDir dir;
  const auto files = make_posix_file_system();
  usage::TailerOptions options;
  options.max_open_files = 5;
  options.batch_bytes = 8 * 1024;
  const auto path = [&](int i) {
    return dir / "logs" + std::to_string(i % 3) + "-" + std::to_string(i);
  };
  Follower follower(
      *files,
      {log_at(dir / "logs0-*", "a"), log_at(dir / "logs1-*", "b"), log_at(dir / "logs2-*", "c")},
      options);
  int most = 0;
  std::int64_t expected = 0;
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 40; ++i) {
      append(path(i), "\n" + lines(1 + round, 30 + round) + "{\"torn\":");
      expected += sum_of(1 + round, 30 + round);
    }
    if (round == 2)
      follower.restart();
    for (int looks = 0; looks < 200 && follower.tokens() < expected; ++looks) {
      for (const auto& tally : follower.tailer->poll(
               (follower.clock.advance(std::chrono::seconds(1)), follower.clock.now()))) {
        most = std::max(most, static_cast<int>(open_below(dir.path()).size()));
        follower.commit(tally);
      }
    }
    CHECK(follower.tokens() == expected);
  }
  CHECK(most > 0);
  CHECK(most <= 5);
}

TEST_CASE("a rotated file that was moved to another device is known there") {
  TempDir dir;
  const std::string memory = "/dev/shm/keyherd-" + std::to_string(::getpid());
  fs::create_directory(memory);
  fs::create_directory(dir / "disk");
  fs::create_directory_symlink(memory, dir / "memory");
  fs::create_directory(dir / "logs");
  fs::rename(dir / "disk", dir / "logs/disk");
  fs::rename(dir / "memory", dir / "logs/memory");
  const auto files = make_posix_file_system();
  append(dir / "logs/memory/a.log", lines(1, 20));
  Follower follower(*files, {log_at(dir / "logs/*/a.log*")});
  follower.drain();
  append(memory + "/a.log", lines(21, 25));
  const auto before = files->stat(memory + "/a.log");
  fs::copy_file(memory + "/a.log", dir / "logs/disk/a.log.1");  // as mv(1) does it
  fs::remove(memory + "/a.log");
  append(memory + "/a.log", lines(100, 101));
  const auto after = files->stat(dir / "logs/disk/a.log.1");
  REQUIRE(before);
  REQUIRE(after);
  if (before->id.device == after->id.device)
    WARN("both directories are on one device: only half of the case is tested");
  follower.wait(std::chrono::seconds(100));
  follower.restart();
  follower.wait(std::chrono::seconds(100));
  CHECK(follower.tokens() == sum_of(1, 25) + 201);
  fs::remove_all(memory);
}
