// Who may open the state file, and what it looks like from outside.

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <fstream>

#include "store/sqlite_store.hpp"
#include "support/temp_dir.hpp"

namespace keyherd::test {

namespace {

using store::Batch;
using store::open_sqlite_store;

std::unique_ptr<store::Store> opened(const store::SqliteOptions& options) {
  auto store = open_sqlite_store(options);
  if (!store)
    FAIL(store.error().message);
  return std::move(*store);
}

Error refused(const store::SqliteOptions& options) {
  const auto store = open_sqlite_store(options);
  REQUIRE_FALSE(store);
  return store.error();
}

unsigned mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

Batch setting(const std::string& name, const std::string& value) {
  Batch batch;
  batch.settings[name] = value;
  return batch;
}

// A second program with the file, as a person with sqlite3 would be.
class Outsider {
 public:
  explicit Outsider(const std::string& path) {
    REQUIRE(sqlite3_open(path.c_str(), &handle_) == SQLITE_OK);
  }
  ~Outsider() { sqlite3_close(handle_); }
  Outsider(const Outsider&) = delete;
  Outsider& operator=(const Outsider&) = delete;
  void run(const std::string& sql) {
    CHECK(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  std::string ask(const std::string& sql) {
    sqlite3_stmt* statement = nullptr;
    REQUIRE(sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK);
    std::string answer;
    if (sqlite3_step(statement) == SQLITE_ROW)
      answer = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return answer;
  }

 private:
  sqlite3* handle_ = nullptr;
};

class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  ~Umask() { ::umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  mode_t before_;
};

}  // namespace

TEST_CASE("the state file and its companions are for their owner alone, whatever the umask") {
  const TempDir directory;
  const Umask open_to_all(0);
  const auto store = opened({directory / "keyherd.db"});
  REQUIRE(store->commit(setting("a", "b")));
  for (const char* suffix : {"", "-wal", "-shm", ".lock"})
    CHECK(mode_of(directory / "keyherd.db" + suffix) == 0600);
}

TEST_CASE("a file that others could read is taken back at the next start") {
  const TempDir directory;
  opened({directory / "keyherd.db"}).reset();
  REQUIRE(::chmod((directory / "keyherd.db").c_str(), 0644) == 0);
  opened({directory / "keyherd.db"}).reset();
  CHECK(mode_of(directory / "keyherd.db") == 0600);
}

TEST_CASE("a file or a directory that others may write is refused with the command that mends it") {
  const TempDir directory;
  const std::string path = directory / "keyherd.db";
  opened({path}).reset();
  REQUIRE(::chmod(path.c_str(), 0620) == 0);
  CHECK(refused({path}).code == ErrorCode::denied);
  CHECK(refused({path}).message.find("chmod 600 " + path) != std::string::npos);
  REQUIRE(::chmod(path.c_str(), 0600) == 0);

  REQUIRE(::chmod(directory.path().c_str(), 0770) == 0);
  CHECK(refused({path}).code == ErrorCode::denied);
  CHECK(refused({path}).message.find("chmod go-w " + directory.path()) != std::string::npos);
  // Sticky, as /tmp is: nobody else can replace the file.
  REQUIRE(::chmod(directory.path().c_str(), 01777) == 0);
  opened({path}).reset();
}

TEST_CASE("a second agent on the same file is refused, also under another name of it") {
  const TempDir directory;
  const std::string path = directory / "keyherd.db";
  auto first = opened({path});
  REQUIRE(::symlink("keyherd.db", (directory / "alias.db").c_str()) == 0);
  for (const std::string& name : {path, directory / "alias.db"}) {
    const Error error = refused({name});
    CHECK(error.code == ErrorCode::conflict);
    CHECK(error.message.find(path) != std::string::npos);
    CHECK(error.message.find("process " + std::to_string(::getpid())) != std::string::npos);
  }
  first.reset();
  opened({path}).reset();
}

TEST_CASE("the lock and the database are not inherited by programs that the agent starts") {
  const TempDir directory;
  const auto store = opened({directory / "keyherd.db"});
  REQUIRE(store->commit(setting("a", "b")));
  for (int descriptor = 3; descriptor < 64; ++descriptor) {
    std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    std::array<char, 256> target{};
    if (::readlink(link.c_str(), target.data(), target.size() - 1) <= 0)
      continue;
    if (std::string(target.data()).find("keyherd.db") != std::string::npos)
      CHECK((::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("a reader needs no lock, sees what is committed meanwhile, and cannot write") {
  const TempDir directory;
  const auto owner = opened({directory / "keyherd.db"});
  REQUIRE(owner->commit(setting("a", "1")));
  const auto reader = opened({directory / "keyherd.db", true});
  CHECK(reader->load()->settings.at("a") == "1");

  Batch more = setting("a", "2");
  more.usage = {model::UsageRow{"new key", "new model", 1, {}}};
  REQUIRE(owner->commit(more));
  CHECK(reader->load()->settings.at("a") == "2");
  CHECK(reader->usage({})->front().key == "new key");
  const Status denied = reader->commit(more);
  REQUIRE_FALSE(denied);
  CHECK(denied.error().code == ErrorCode::denied);
  CHECK_FALSE(reader->prune({}, {}, {}));
}

TEST_CASE("opening what is not there says so") {
  const TempDir directory;
  CHECK(refused({directory / "none.db", true}).code == ErrorCode::not_found);
  const Error error = refused({directory / "no-such-directory/keyherd.db"});
  CHECK(error.code == ErrorCode::not_found);
  CHECK(error.message.find("no-such-directory") != std::string::npos);
  CHECK(refused({directory.path()}).code == ErrorCode::invalid);
}

TEST_CASE("while another program holds the write lock a commit is unavailable, later it succeeds") {
  const TempDir directory;
  const std::string path = directory / "keyherd.db";
  const auto store = opened({path});
  Outsider person(path);
  person.run("BEGIN IMMEDIATE");
  Batch batch;
  batch.usage = {model::UsageRow{"k", "m", 1, {}}};
  for (int i = 0; i < 2; ++i) {
    const Status busy = store->commit(batch);
    REQUIRE_FALSE(busy);
    CHECK(busy.error().code == ErrorCode::unavailable);
    CHECK(busy.error().message.find("locked") != std::string::npos);
  }
  CHECK(store->load());
  person.run("COMMIT");
  CHECK(store->commit(batch));
  CHECK(store->load()->usage_totals.size() == 1);
}

TEST_CASE("the file tells what it is") {
  const TempDir directory;
  const std::string path = directory / "keyherd.db";
  const auto store = opened({path});
  Outsider person(path);
  CHECK(person.ask("PRAGMA application_id") == std::to_string(0x4b796864));
  CHECK(person.ask("PRAGMA user_version") == "6");
  CHECK(person.ask("PRAGMA journal_mode") == "wal");
  CHECK(person.ask("SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND strict = 0 "
                   "AND name NOT LIKE 'sqlite_%'") == "0");
}

TEST_CASE("a file written by a newer version is refused and left as it is") {
  const TempDir directory;
  const std::string path = directory / "keyherd.db";
  {
    const auto store = opened({path});
    REQUIRE(store->commit(setting("kept", "yes")));
  }
  { Outsider(path).run("PRAGMA user_version = 7"); }
  const Error error = refused({path});
  CHECK(error.code == ErrorCode::invalid);
  CHECK(error.message.find("format 7") != std::string::npos);
  CHECK(error.message.find("newer") != std::string::npos);
  CHECK(refused({path, true}).code == ErrorCode::invalid);
  { Outsider(path).run("PRAGMA user_version = 6"); }
  CHECK(opened({path})->load()->settings.at("kept") == "yes");
}

TEST_CASE("another program's database is refused and left as it is") {
  const TempDir directory;
  const std::string path = directory / "other.db";
  { Outsider(path).run("CREATE TABLE recipes (name TEXT)"); }
  REQUIRE(::chmod(path.c_str(), 0644) == 0);
  const Error error = refused({path});
  CHECK(error.code == ErrorCode::invalid);
  CHECK(error.message.find("another program") != std::string::npos);
  CHECK(mode_of(path) == 0644);
  CHECK(Outsider(path).ask("SELECT group_concat(name) FROM sqlite_schema") == "recipes");
  CHECK(Outsider(path).ask("PRAGMA journal_mode") == "delete");
}

}  // namespace keyherd::test
