// A full disk: the commit fails as no_space, nothing of its batch stays, and the agent resumes
// alone when there is space again.

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <csignal>

#include <filesystem>

#include "store/sqlite_store.hpp"
#include "support/temp_dir.hpp"

namespace keyherd::test {

namespace {

using store::open_sqlite_store;

// Grows the file by some pages; the setting tells how far it came.
store::Batch batch_number(int number) {
  store::Batch batch;
  for (int i = 0; i < 40; ++i) {
    model::UsageRow row{
        "key-" + std::to_string(number) + "-" + std::to_string(i), "model", number, {}};
    row.counts.requests = 1;
    batch.usage.push_back(row);
  }
  batch.settings["number"] = std::to_string(number);
  return batch;
}

// Commits until it fails; the number of the batch that failed.
int commit_until_refused(store::Store& store, int from, Status& refusal) {
  for (int number = from; number < 100'000; ++number) {
    refusal = store.commit(batch_number(number));
    if (!refusal)
      return number;
  }
  FAIL("the disk never filled up");
  return 0;
}

void check_whole(store::Store& store, int last) {
  const auto state = store.load();
  REQUIRE(state);
  CHECK(state->settings.at("number") == std::to_string(last));
  CHECK(state->usage_totals.size() == 40 * static_cast<std::size_t>(last));
}

// Fills up, checks that nothing is half there, makes room and goes on.
template <class MakeRoom>
void run_out_and_recover(store::Store& store, MakeRoom make_room) {
  Status refusal;
  const int failed = commit_until_refused(store, 1, refusal);
  REQUIRE(failed > 1);
  CHECK(refusal.error().code == ErrorCode::no_space);
  CHECK(refusal.error().message.find("space") != std::string::npos);
  check_whole(store, failed - 1);
  // Trying again in vain changes nothing.
  REQUIRE_FALSE(store.commit(batch_number(failed)));
  check_whole(store, failed - 1);
  make_room();
  for (int number = failed; number < failed + 10; ++number)
    REQUIRE(store.commit(batch_number(number)));
  check_whole(store, failed + 9);
}

class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    previous_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    lift();
    static_cast<void>(::signal(SIGXFSZ, previous_));
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  void lift() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
  sighandler_t previous_ = SIG_DFL;
};

// A file system of 1 MiB; absent where mounting is not permitted.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& path) : path_(path) {
    ::mkdir(path.c_str(), 0700);
    mounted_ = ::mount("none", path.c_str(), "tmpfs", 0, "size=1m,mode=0700") == 0;
  }
  ~SmallDisk() {
    if (mounted_)
      ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] bool mounted() const { return mounted_; }
  void grow() { CHECK(::mount("none", path_.c_str(), "tmpfs", MS_REMOUNT, "size=16m") == 0); }

 private:
  std::string path_;
  bool mounted_ = false;
};

}  // namespace

TEST_CASE("a file that may not grow any more is no_space, and the store resumes when it may") {
  const TempDir directory;
  auto store = open_sqlite_store({directory / "keyherd.db"});
  REQUIRE(store);
  FileSizeLimit limit(512 * 1024);
  run_out_and_recover(**store, [&] { limit.lift(); });
}

TEST_CASE("a full disk is no_space, and the store resumes when there is space") {
  const TempDir directory;
  SmallDisk disk(directory / "disk");
  if (!disk.mounted()) {
    WARN("not permitted to mount a small disk; the file size limit stands in for it");
    CHECK(::geteuid() != 0);
    return;
  }
  auto store = open_sqlite_store({directory / "disk/keyherd.db"});
  REQUIRE(store);
  run_out_and_recover(**store, [&] { disk.grow(); });
  store->reset();
}

}  // namespace keyherd::test
