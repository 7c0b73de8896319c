#include "config/key_document.hpp"

#include <catch2/catch.hpp>

using namespace keyherd;
using namespace keyherd::config;

namespace {

const std::string kFull =
    R"({"keys": [
{"id":"a","provider":"p","secret":"env:A"},
{"id":"b","provider":"p","secret":"keyring:b","limit_group":"acct","priority":3,"quotas":["day","month"],"labels":{"team":"search"},"provider_key_id":"key1","managed":true,"created_at":"2026-01-01T00:00:00Z","expires_at":"2027-03-01T12:30:00.5Z","max_age":"90d"}
]}
)";

std::vector<model::Key> keys(const std::string& text) {
  const auto result = parse_keys_json(text, "keys.json");
  for (const Problem& problem : result.errors)
    FAIL(to_string(problem));
  return result.keys;
}

std::vector<model::Key> one(const std::string& id, const std::string& more = "") {
  return keys(R"({"keys":[{"id":")" + id + R"(","provider":"p","secret":"env:X")" + more + "}]}");
}

}  // namespace

TEST_CASE("keys that are written and read are the same keys, and give the same text") {
  const std::string text = keys_document(keys(kFull));
  CHECK(keys_document(keys(text)) == text);
  const auto back = keys(text);
  REQUIRE(back.size() == 2);
  CHECK(back[1].max_age == std::chrono::hours(24 * 90));
  CHECK(back[1].labels.at("team") == "search");
  CHECK(back[1].expires_at == keys(kFull)[1].expires_at);
  CHECK(keys_document({}) == "{\"keys\": [\n]}\n");
  CHECK(keys(keys_document({})).empty());
}

TEST_CASE("a key stands in its own line, and the lines are told") {
  const auto result = parse_keys_json(kFull, "keys.json");
  CHECK(result.lines == std::vector<int>{2, 3});
}

TEST_CASE("an import adds, changes and leaves alone, and says so") {
  auto managed = one("a");
  managed.push_back(one("b").front());
  auto imported = one("a");
  imported.push_back(one("b", R"(,"priority":2,"labels":{"t":"x"})").front());
  imported.push_back(one("c").front());
  const auto changes = merge_keys(managed, {}, imported).value();
  CHECK(changes.added == std::vector<std::string>{"c"});
  REQUIRE(changes.changed.size() == 1);
  CHECK(changes.changed[0].id == "b");
  CHECK(changes.changed[0].fields == std::vector<std::string>{"priority", "labels"});
  CHECK(changes.unchanged == std::vector<std::string>{"a"});
  CHECK(changes.keys.size() == 3);
  // Once more: nothing is left to do.
  const auto again = merge_keys(changes.keys, {}, imported).value();
  CHECK(again.added.empty());
  CHECK(again.changed.empty());
  CHECK(again.unchanged.size() == 3);
}

TEST_CASE("a key that another file configures may be repeated, but not changed") {
  CHECK(merge_keys({}, one("a"), one("a"))->keys.empty());
  const auto refused = merge_keys({}, one("a"), one("a", R"(,"priority":2)"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message ==
        "keys.a: is configured in another file, with another priority; change it there");
}

TEST_CASE("imported keys live where key_files finds them") {
  CHECK(managed_key_file({"/etc/keyherd/keys.d/*.json"}).value() ==
        "/etc/keyherd/keys.d/imported.json");
  CHECK(managed_key_file({"/a/one.json", "/b/imported.json"}).value() == "/b/imported.json");
  const auto none = managed_key_file({"/a/team-*.json"});
  REQUIRE_FALSE(none);
  CHECK(none.error().message.find("key_files = [\"keys.d/*.json\"]") != std::string::npos);
}

TEST_CASE("sealed secrets of an export do not disturb who reads only the keys") {
  CHECK(keys(R"({"keys":[{"id":"a","provider":"p","secret":"env:A"}],"sealed":{"kdf":"x"}})")
            .size() == 1);
  CHECK_FALSE(parse_keys_json(R"({"keys":[],"secrets":{}})", "keys.json").errors.empty());
}
