#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "follower.hpp"
#include "support/temp_dir.hpp"

using namespace keyherd;
using namespace keyherd::test;
namespace fs = std::filesystem;

namespace {
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
  append(dir / "good.log", line(1));
  Follower follower(*files, {log_at(dir / "*.log"), log_at(dir / "f.log", "fifo")});
  follower.drain();
  CHECK(follower.tokens() == 1);
  CHECK(follower.status["gateway"].files == 1);
  CHECK(follower.status["fifo"].problem == dir / "f.log" + " is not a regular file");
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
  follower.poll();
  follower.poll();
  CHECK(follower.tokens() == sum_of(1, 3) + sum_of(10, 12));
  CHECK(follower.counts.rejected == model::SourceCounts().rejected);
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
