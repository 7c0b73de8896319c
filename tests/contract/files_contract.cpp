// What every FileSystem promises, held by the real one and by the one in memory.

#include <sys/resource.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/files.hpp"
#include "support/memory_files.hpp"
#include "support/temp_dir.hpp"

using namespace keyherd;
using test::MemoryFileSystem;

namespace {

// The same few steps of a writer elsewhere, for both kinds.
struct RealDisk {
  test::TempDir directory;
  std::unique_ptr<FileSystem> files = make_posix_file_system();
  std::string path(const std::string& name) const { return directory / name; }
  void append(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::app | std::ios::binary) << text;
  }
  void rename(const std::string& from, const std::string& to) const {
    std::filesystem::rename(path(from), path(to));
  }
  void truncate(const std::string& name, std::size_t size) const {
    std::filesystem::resize_file(path(name), size);
  }
};

struct InMemory {
  std::unique_ptr<FileSystem> files = std::make_unique<MemoryFileSystem>();
  MemoryFileSystem& memory = static_cast<MemoryFileSystem&>(*files);
  std::string path(const std::string& name) const { return "/dir/" + name; }
  void append(const std::string& name, const std::string& text) const {
    memory.append(path(name), text);
  }
  void rename(const std::string& from, const std::string& to) const {
    memory.rename(path(from), path(to));
  }
  void truncate(const std::string& name, std::size_t size) const {
    memory.truncate(path(name), size);
  }
};

std::string read_all(const ReadableFile& file) {
  std::string buffer(100, '\0');
  const auto got = file.read_at(0, buffer);
  REQUIRE(got);
  return buffer.substr(0, *got);
}

}  // namespace

TEMPLATE_TEST_CASE("a written file is read back, with its mode, and replaced whole", "", RealDisk,
                   InMemory) {
  TestType disk;
  REQUIRE(disk.files->write_atomic(disk.path("a"), "one", {0600, true}));
  CHECK(*disk.files->read(disk.path("a"), 100) == "one");
  CHECK(disk.files->stat(disk.path("a"))->mode == 0600);
  const auto before = disk.files->open(disk.path("a"));
  REQUIRE(disk.files->write_atomic(disk.path("a"), "other", {0640, false}));
  CHECK(*disk.files->read(disk.path("a"), 100) == "other");
  CHECK(disk.files->stat(disk.path("a"))->mode == 0640);
  CHECK(read_all(**before) == "one");  // whoever had it open still sees the old one, whole
  CHECK(disk.files->glob(disk.path("*"))->size() == 1);
}

TEMPLATE_TEST_CASE("an open file is followed through growth, renaming and truncation", "", RealDisk,
                   InMemory) {
  TestType disk;
  disk.append("log", "line 1\n");
  const auto file = disk.files->open(disk.path("log"));
  REQUIRE(file);
  const FileStat first = *(*file)->stat();
  CHECK(first.size == 7);
  CHECK(first.type == FileType::regular);
  disk.append("log", "line 2\n");
  disk.rename("log", "log.1");
  CHECK(read_all(**file) == "line 1\nline 2\n");
  CHECK((*file)->stat()->id == first.id);
  CHECK(disk.files->stat(disk.path("log.1"))->id == first.id);
  disk.append("log", "new\n");
  CHECK_FALSE(disk.files->stat(disk.path("log"))->id == first.id);
  disk.truncate("log.1", 3);
  CHECK(read_all(**file) == "lin");
  CHECK((*file)->read_at(1'000, std::span<char>()).value() == 0);
}

TEMPLATE_TEST_CASE("what is not there is not_found, what is too large is too_large", "", RealDisk,
                   InMemory) {
  TestType disk;
  CHECK(disk.files->open(disk.path("none")).error().code == ErrorCode::not_found);
  CHECK(disk.files->stat(disk.path("none")).error().code == ErrorCode::not_found);
  CHECK(disk.files->read(disk.path("none"), 10).error().code == ErrorCode::not_found);
  CHECK(disk.files->remove(disk.path("none")).error().code == ErrorCode::not_found);
  CHECK(disk.files->glob(disk.path("none*"))->empty());
  disk.append("big", std::string(11, 'x'));
  CHECK(disk.files->read(disk.path("big"), 10).error().code == ErrorCode::too_large);
  REQUIRE(disk.files->remove(disk.path("big")));
  CHECK_FALSE(disk.files->stat(disk.path("big")));
}

TEMPLATE_TEST_CASE("patterns match names in order", "", RealDisk, InMemory) {
  TestType disk;
  for (const char* name : {"u.jsonl", "u.jsonl.1", "other", "u.jsonl.2"})
    disk.append(name, "x");
  CHECK(*disk.files->glob(disk.path("u.jsonl*")) ==
        std::vector<std::string>{disk.path("u.jsonl"), disk.path("u.jsonl.1"),
                                 disk.path("u.jsonl.2")});
}

TEST_CASE("directories, FIFOs and devices are refused without hanging") {
  RealDisk disk;
  REQUIRE(::mkfifo(disk.path("fifo").c_str(), 0600) == 0);
  for (const std::string& path :
       {disk.directory.path(), disk.path("fifo"), std::string("/dev/zero")}) {
    const auto file = disk.files->open(path);
    REQUIRE_FALSE(file);
    CHECK(file.error().message.find("not a regular file") != std::string::npos);
  }
}

TEST_CASE("a write that fails leaves the old file and nothing else") {
  RealDisk disk;
  REQUIRE(disk.files->write_atomic(disk.path("a"), "old", {}));
  CHECK_FALSE(disk.files->write_atomic(disk.path("no/such/dir"), "x", {}));
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{4'096, before.rlim_max};
  ::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto written = disk.files->write_atomic(disk.path("a"), std::string(10'000, 'x'), {});
  ::setrlimit(RLIMIT_FSIZE, &before);
  REQUIRE_FALSE(written);
  CHECK(written.error().code == ErrorCode::too_large);
  CHECK(*disk.files->read(disk.path("a"), 100) == "old");
  CHECK(disk.files->glob(disk.path("*"))->size() == 1);
}

TEST_CASE("holes are skipped, not read") {
  RealDisk disk;
  disk.append("sparse", "");
  std::filesystem::resize_file(disk.path("sparse"), 64 << 20);
  disk.append("sparse", "data");
  const auto file = disk.files->open(disk.path("sparse"));
  const auto next = (*file)->next_data(0);
  REQUIRE(next);
  CHECK(*next > (63U << 20U));
  CHECK(*(*file)->next_data((64U << 20U) + 1) == (64U << 20U) + 1);
}

TEST_CASE("paths") {
  CHECK(directory_of("/etc/keyherd/k.toml") == "/etc/keyherd");
  CHECK(directory_of("k.toml") == ".");
  CHECK(directory_of("/k") == "/");
  CHECK(resolve_path("/etc", "a/b") == "/etc/a/b");
  CHECK(resolve_path("/etc", "/a") == "/a");
  CHECK(resolve_path(".", "a") == "a");
}
