// A file of an older format is carried forward without loss. tests/data/store/format-N.sql is such
// a file as that version wrote it; released versions never change theirs.

#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "store/sqlite_schema.hpp"
#include "store/sqlite_store.hpp"
#include "support/temp_dir.hpp"

namespace keyherd::test {

namespace {

class Database {
 public:
  explicit Database(const std::string& path) {
    REQUIRE(sqlite3_open(path.c_str(), &handle_) == SQLITE_OK);
  }
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(const std::string& sql) {
    char* message = nullptr;
    const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, &message);
    INFO((message != nullptr ? message : ""));
    REQUIRE(code == SQLITE_OK);
  }
  // Every row of the answer, its columns between bars.
  std::vector<std::string> ask(const std::string& sql) {
    std::vector<std::string> rows;
    const auto take = [](void* into, int columns, char** values, char**) {
      std::string row;
      for (int i = 0; i < columns; ++i)
        row += std::string(values[i] != nullptr ? values[i] : "NULL") + "|";
      static_cast<std::vector<std::string>*>(into)->push_back(row);
      return 0;
    };
    REQUIRE(sqlite3_exec(handle_, sql.c_str(), take, &rows, nullptr) == SQLITE_OK);
    return rows;
  }

 private:
  sqlite3* handle_ = nullptr;
};

using Content = std::map<std::string, std::vector<std::string>>;

Content content(const std::string& path) {
  Database database(path);
  Content tables;
  for (const std::string& row :
       database.ask("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")) {
    const std::string name = row.substr(0, row.size() - 1);
    tables[name] = database.ask("SELECT * FROM \"" + name + "\" ORDER BY 1, 2");
  }
  return tables;
}

void write_format_1(const std::string& path) {
  std::ifstream file(KEYHERD_TEST_DATA "/store/format-1.sql");
  std::stringstream sql;
  sql << file.rdbuf();
  REQUIRE(sql.str().size() > 1000);
  Database(path).run(sql.str());
}

}  // namespace

TEST_CASE("a file of format 1 becomes the newest without losing a row") {
  const TempDir directory;
  const std::string path = directory / "keyherd.db";
  write_format_1(path);
  const Content before = content(path);
  REQUIRE(before.at("usage").size() > 5);
  REQUIRE(before.at("cursor").size() > 2);

  // Reading does not change it, and says what would.
  const auto reader = store::open_sqlite_store({path, true});
  REQUIRE_FALSE(reader);
  CHECK(reader.error().message.find("start the agent once") != std::string::npos);
  CHECK(content(path) == before);

  for (int start = 0; start < 2; ++start) {
    auto store = store::open_sqlite_store({path});
    if (!store)
      FAIL(store.error().message);
    const auto state = (*store)->load();
    REQUIRE(state);
    std::int64_t total = 0;
    for (const auto& [key, models] : state->usage_totals) {
      for (const auto& [model, counts] : models)
        total += counts.requests;
    }
    std::int64_t history = 0;
    const auto rows = (*store)->usage({});
    REQUIRE(rows);
    for (const auto& row : *rows)
      history += row.counts.requests;
    CHECK(history == total);
    CHECK(rows->size() == before.at("usage").size());
  }
  const Content after = content(path);
  for (const auto& [table, rows] : before) {
    INFO(table);
    REQUIRE(after.at(table).size() == rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::string expected = rows[i];
      // What was verified but not published is called staged since format 5.
      if (const auto at = expected.find("|verified|0|"); at != std::string::npos)
        expected.replace(at, 12, "|staged|0|");
      CHECK(after.at(table)[i].substr(0, expected.size()) == expected);  // columns may have come
    }
  }
  CHECK(Database(path).ask("PRAGMA user_version") ==
        std::vector<std::string>{std::to_string(store::kFormatVersion) + "|"});
}

TEST_CASE("a migration that cannot end leaves the old format whole") {
  const TempDir directory;
  const std::string path = directory / "keyherd.db";
  write_format_1(path);
  // Somebody has a table of that name already: the step fails in its middle.
  Database(path).run("CREATE TABLE usage_day (mine TEXT, yours TEXT)");
  const Content before = content(path);
  CHECK_FALSE(store::open_sqlite_store({path}));
  CHECK(content(path) == before);
  CHECK(Database(path).ask("PRAGMA user_version") == std::vector<std::string>{"1|"});
  Database(path).run("DROP TABLE usage_day");
  CHECK(store::open_sqlite_store({path}));
}

}  // namespace keyherd::test
