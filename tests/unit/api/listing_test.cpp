#include "api/listing.hpp"

#include <catch2/catch.hpp>

using namespace keyherd;
using namespace keyherd::api;
using Strings = std::vector<std::string>;

namespace {

// Keys a0…a4 of team a and b0…b4 of team b, each second one dead; pool "a" has the first five.
model::Snapshot ten_keys() {
  model::Snapshot snapshot;
  auto pool = std::make_shared<model::PoolView>();
  pool->pool.id = "a";
  auto other = std::make_shared<model::PoolView>();
  other->pool.id = "b";
  other->problem = "no key of it is usable";
  for (const std::string team : {"a", "b"}) {
    for (int i = 0; i < 5; ++i) {
      auto key = std::make_shared<model::KeyView>();
      key->key.id = team + std::to_string(i);
      key->key.provider = i == 0 ? "openai" : "deepseek";
      key->key.labels = {{"team", team}};
      key->health.state = i % 2 == 0 ? model::KeyState::healthy : model::KeyState::dead;
      (team == "a" ? pool : other)->pool.keys.push_back(key->key.id);
      snapshot.keys.push_back(key);
    }
  }
  snapshot.pools = {pool, other};
  return snapshot;
}

Strings ids(const Listed& listed, const char* name = "id") {
  Strings found;
  for (const auto& item : listed.items)
    found.push_back(item[name].get<std::string>());
  return found;
}

Strings keys_of(const Query& query, const Principal& who = {model::Role::read}) {
  const auto listed = list_keys(ten_keys(), who, query);
  REQUIRE(listed);
  return ids(*listed);
}

net::ServerRequest asking(Query query = {}, const std::string& known = "") {
  net::ServerRequest request;
  request.path = "/api/v1/keys";
  request.query = std::move(query);
  if (!known.empty())
    request.headers.emplace("if-none-match", known);
  return request;
}

std::string header_of(const net::ServerResponse& response, std::string_view name) {
  for (const auto& [each, value] : response.headers)
    if (each == name)
      return value;
  return "";
}

}  // namespace

TEST_CASE("keys are found by state, provider, pool, label and text, all of them fitting") {
  CHECK(keys_of({}).size() == 10);
  CHECK(keys_of({{"state", "dead"}}) == Strings{"a1", "a3", "b1", "b3"});
  CHECK(keys_of({{"state", "dead,paused"}, {"pool", "a"}}) == Strings{"a1", "a3"});
  CHECK(keys_of({{"provider", "openai"}}) == Strings{"a0", "b0"});
  CHECK(keys_of({{"label", "team=b"}, {"provider", "openai"}}) == Strings{"b0"});
  CHECK(keys_of({{"label", "team"}}).size() == 10);
  CHECK(keys_of({{"label", "team=a"}, {"label", "team=b"}}).empty());
  CHECK(keys_of({{"q", "A3"}}) == Strings{"a3"});
  CHECK(keys_of({{"q", "openai"}}) == Strings{"a0", "b0"});
  CHECK(keys_of({{"pool", "none"}}).empty());
}

TEST_CASE("pages follow each other without a gap, also when keys come and go meanwhile") {
  Strings all;
  std::string cursor;
  do {
    Query query{{"limit", "3"}, {"state", "healthy"}};
    if (!cursor.empty())
      query.emplace("cursor", cursor);
    const auto listed = list_keys(ten_keys(), {model::Role::read}, query);
    REQUIRE(listed);
    CHECK(listed->items.size() <= 3);
    for (const std::string& id : ids(*listed))
      all.push_back(id);
    cursor = listed->next;
  } while (!cursor.empty());
  CHECK(all == keys_of({{"state", "healthy"}}));
  // A cursor is a place, not a key that must exist.
  CHECK(keys_of({{"cursor", "a35"}, {"limit", "1"}}) == Strings{"a4"});
  CHECK(keys_of({{"cursor", "zz"}}).empty());
}

TEST_CASE("a list that ends with its page names no next one") {
  const auto exact = list_keys(ten_keys(), {model::Role::read}, {{"limit", "10"}});
  CHECK(exact->next.empty());
  const auto cut = list_keys(ten_keys(), {model::Role::read}, {{"limit", "9"}});
  CHECK(cut->next == "b3");
}

TEST_CASE("whoever is confined finds the keys of those pools, and no other pool's by its name") {
  const Principal confined{model::Role::read, {"a"}};
  CHECK(keys_of({}, confined).size() == 5);
  CHECK(keys_of({{"pool", "b"}}, confined).empty());
  CHECK(ids(*list_pools(ten_keys(), confined, {})) == Strings{"a"});
}

TEST_CASE("pools are found by key and text") {
  const Principal who{model::Role::read};
  CHECK(ids(*list_pools(ten_keys(), who, {{"key", "b2"}})) == Strings{"b"});
  CHECK(ids(*list_pools(ten_keys(), who, {{"q", "usable"}})) == Strings{"b"});
  const auto first = list_pools(ten_keys(), who, {{"limit", "1"}});
  CHECK(ids(*first) == Strings{"a"});
  CHECK(first->next == "a");
}

TEST_CASE("rotations are listed newest first, by state and from a cursor on") {
  std::vector<model::Rotation> rows(3);
  for (int i = 0; i < 3; ++i) {
    rows[static_cast<std::size_t>(i)].id = "2026050" + std::to_string(3 - i) + "T000000000Z-x";
    rows[static_cast<std::size_t>(i)].pool = i == 1 ? "b" : "a";
  }
  rows[2].state = model::RotationState::refused;
  const Principal who{model::Role::read};
  const auto page = list_rotations(rows, who, {{"limit", "2"}});
  CHECK(ids(*page, "rotation") == Strings{rows[0].id, rows[1].id});
  CHECK(ids(*list_rotations(rows, who, {{"cursor", page->next}}), "rotation") ==
        Strings{rows[2].id});
  CHECK(ids(*list_rotations(rows, who, {{"state", "refused"}}), "rotation") == Strings{rows[2].id});
  CHECK(list_rotations(rows, {model::Role::read, {"a"}}, {})->items.size() == 2);
}

TEST_CASE("a parameter that is not understood is refused, not ignored") {
  for (const Query& bad : std::vector<Query>{{{"stat", "dead"}},
                                             {{"state", "deadish"}},
                                             {{"state", ""}},
                                             {{"limit", "0"}},
                                             {{"limit", "10001"}},
                                             {{"limit", "x"}}}) {
    const auto listed = list_keys(ten_keys(), {model::Role::read}, bad);
    REQUIRE_FALSE(listed);
    CHECK(listed.error().code == ErrorCode::invalid);
    CHECK(respond_list(asking(bad), listed).status == 400);
  }
  CHECK_FALSE(list_rotations({}, {model::Role::read}, {{"state", "dead"}}));
  CHECK_FALSE(list_pools(ten_keys(), {model::Role::read}, {{"state", "dead"}}));
}

TEST_CASE("a list that the client has already is not sent again") {
  const auto listed = list_keys(ten_keys(), {model::Role::read}, {{"limit", "2"}});
  const auto first = respond_list(asking({{"limit", "2"}, {"q", "a b"}}), listed);
  CHECK(first.status == 200);
  CHECK(header_of(first, "Link") == "</api/v1/keys?limit=2&q=a%20b&cursor=a1>; rel=\"next\"");
  const std::string tag = header_of(first, "ETag");
  REQUIRE(tag.size() > 10);
  for (const std::string& known : {tag, "W/" + tag, "\"x\", " + tag, std::string("*")}) {
    const auto again = respond_list(asking({}, known), listed);
    CHECK(again.status == 304);
    CHECK(again.body.empty());
    CHECK(header_of(again, "ETag") == tag);
  }
  CHECK(respond_list(asking({}, "\"other\""), listed).status == 200);
  const auto other = list_keys(ten_keys(), {model::Role::read}, {{"limit", "3"}});
  CHECK(respond_list(asking({}, tag), other).status == 200);
}
