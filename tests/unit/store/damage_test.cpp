// Files that are not what was written: reported as corrupt, never overwritten, never re-created.

#include <sqlite3.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "store/sqlite_store.hpp"
#include "support/temp_dir.hpp"

namespace keyherd::test {

namespace {

using store::open_sqlite_store;

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void overwrite(const std::string& path, std::size_t offset, const std::string& bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(offset));
  file << bytes;
}

// A store of some hundred pages that was closed in order.
std::string filled(const TempDir& directory) {
  const std::string path = directory / "keyherd.db";
  auto store = open_sqlite_store({path});
  REQUIRE(store);
  store::Batch batch;
  for (int i = 0; i < 5000; ++i) {
    model::Evidence evidence;
    evidence.key = "key-" + std::to_string(i % 50);
    evidence.message = "evidence number " + std::to_string(i);
    batch.evidence.push_back(evidence);
    batch.usage.push_back(model::UsageRow{evidence.key, "model", i, {}});
  }
  REQUIRE((*store)->commit(batch));
  return path;
}

void run_sql(const std::string& path, const char* sql) {
  sqlite3* handle = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &handle) == SQLITE_OK);
  CHECK(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(handle);
}

}  // namespace

TEST_CASE("a file that is no database is corrupt, and stays byte for byte") {
  const TempDir directory;
  const std::string path = directory / "keyherd.db";
  std::ofstream(path) << std::string(8192, 'x');
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  const auto store = open_sqlite_store({path});
  REQUIRE_FALSE(store);
  CHECK(store.error().code == ErrorCode::corrupt);
  CHECK(store.error().message.find("left as it is") != std::string::npos);
  CHECK(bytes_of(path) == std::string(8192, 'x'));
}

TEST_CASE("damaged pages are corrupt when they are met, and nothing is written over them") {
  const TempDir directory;
  const std::string path = filled(directory);
  const auto size = std::filesystem::file_size(path);
  REQUIRE(size > 100 * 4096);
  for (std::size_t page = 2; page < size / 4096; ++page)
    overwrite(path, page * 4096, std::string(64, '\xff'));
  const std::string before = bytes_of(path);

  auto store = open_sqlite_store({path});
  const auto state = store ? (*store)->load() : Result<store::State>(fail(store.error()));
  REQUIRE_FALSE(state);
  CHECK(state.error().code == ErrorCode::corrupt);
  CHECK(state.error().message.find(path) != std::string::npos);
  CHECK(state.error().message.find("backup") != std::string::npos);
  if (store)
    store->reset();
  CHECK(bytes_of(path) == before);
}

TEST_CASE("after an unclean stop the file is checked before it is used") {
  const TempDir directory;
  const std::string path = filled(directory);
  // An index entry that has no row: only a check of the whole file can tell.
  run_sql(path,
          "PRAGMA writable_schema = ON;"
          "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema "
          "WHERE name = 'change_by_key') WHERE name = 'evidence_by_key'");
  std::ofstream(path + "-wal") << std::string(64, '\0');
  const auto store = open_sqlite_store({path});
  REQUIRE_FALSE(store);
  CHECK(store.error().code == ErrorCode::corrupt);
}

TEST_CASE("a value that no version writes is corrupt, and the message names its column") {
  const TempDir directory;
  const std::string path = filled(directory);
  run_sql(path, "UPDATE evidence SET verdict = 'splendid' WHERE id = 5000");
  const auto store = open_sqlite_store({path});
  REQUIRE(store);
  const auto state = (*store)->load();
  REQUIRE_FALSE(state);
  CHECK(state.error().code == ErrorCode::corrupt);
  CHECK(state.error().message.find("evidence.verdict") != std::string::npos);
  CHECK(state.error().message.find("splendid") != std::string::npos);
}

TEST_CASE("lists that no version writes are corrupt") {
  const TempDir directory;
  const std::string path = filled(directory);
  const auto* broken = GENERATE("'not json'", "'{}'", "'[5]'", "'[{\"currency\":1,\"nanos\":2}]'",
                                "'[{\"currency\":\"USD\"}]'");
  run_sql(path,
          (std::string("UPDATE evidence SET balances = ") + broken + " WHERE id = 5000").c_str());
  const auto store = open_sqlite_store({path});
  REQUIRE(store);
  const auto state = (*store)->load();
  REQUIRE_FALSE(state);
  CHECK(state.error().code == ErrorCode::corrupt);
}

TEST_CASE("a row that points to a name that is not there is corrupt") {
  const TempDir directory;
  const std::string path = filled(directory);
  run_sql(path, "DELETE FROM name WHERE id = 3");
  const auto store = open_sqlite_store({path});
  REQUIRE_FALSE(store);
  CHECK(store.error().code == ErrorCode::corrupt);
  CHECK(store.error().message.find("name") != std::string::npos);
}

}  // namespace keyherd::test
