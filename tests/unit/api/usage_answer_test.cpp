#include "api/usage_answer.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/time_text.hpp"

using namespace keyherd;
using namespace keyherd::api;
using Query = std::multimap<std::string, std::string>;

namespace {

const WallTime kNow = *parse_rfc3339("2026-05-10T12:00:00Z");

// Keys k0 to k4; pool "a" has the even ones, pool "b" the odd ones and k4.
model::Snapshot herd() {
  model::Snapshot snapshot;
  auto a = std::make_shared<model::PoolView>();
  auto b = std::make_shared<model::PoolView>();
  a->pool.id = "a";
  b->pool.id = "b";
  for (int i = 0; i < 5; ++i) {
    auto view = std::make_shared<model::KeyView>();
    view->key.id = "k" + std::to_string(i);
    view->key.provider = i < 2 ? "p" : "q";
    snapshot.keys.push_back(view);
    if (i % 2 == 0)
      a->pool.keys.push_back(view->key.id);
    if (i % 2 == 1 || i == 4)
      b->pool.keys.push_back(view->key.id);
  }
  snapshot.pools = {a, b};
  return snapshot;
}

// A row a key, and one of a key that is not configured any more; remembers what was asked.
struct History {
  UsageRange asked;
  int reads = 0;

  ReadUsage reader() {
    return [this](const UsageRange& range, const UsageVisitor& visit) -> Status {
      asked = range;
      ++reads;
      for (const char* key : {"gone", "k0", "k1", "k2", "k3", "k4"}) {
        model::UsageRow row{key, "m", model::bucket_of(kNow), {}};
        row.counts.requests = 1;
        KH_TRY(visit(row));
      }
      return {};
    };
  }
};

std::string keys_of(const Result<UsageAnswer>& answer) {
  REQUIRE(answer);
  std::string keys;
  const auto lines = *parse_json(answer->body);
  for (const auto& line : lines)
    keys += line["key"].get<std::string>() + " ";
  return keys;
}

Result<UsageAnswer> ask(const Query& query, const Principal& who = {}) {
  KH_ASSIGN(const UsageRequest request, parse_usage_request(query, "UTC", kNow));
  History history;
  return make_usage_answer(request, herd(), who, history.reader());
}

Query next_of(const UsageAnswer& answer) {
  Query query;
  std::string text = answer.next_query + "&";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('&', at);
    const std::string part = text.substr(at, end - at);
    const auto equals = part.find('=');
    std::string value;
    for (std::size_t i = equals + 1; i < part.size(); ++i) {
      if (part[i] == '%') {
        value += static_cast<char>(std::stoi(part.substr(i + 1, 2), nullptr, 16));
        i += 2;
      } else {
        value += part[i];
      }
    }
    query.emplace(part.substr(0, equals), value);
    at = end + 1;
  }
  return query;
}

}  // namespace

TEST_CASE("usage over HTTP is summed, filtered and without a page in one answer") {
  CHECK(keys_of(ask({})) == "gone k0 k1 k2 k3 k4 ");
  CHECK(keys_of(ask({{"provider", "p"}})) == "k0 k1 ");
  CHECK(keys_of(ask({{"pool", "b"}, {"provider", "q"}})) == "k3 k4 ");
  CHECK(keys_of(ask({{"key", "k1,gone"}})) == "gone k1 ");
  CHECK(keys_of(ask({{"key", "k1"}, {"key", "k2"}})) == "k1 k2 ");
  CHECK(keys_of(ask({{"from", "2026-05-11"}})).empty());
  CHECK(ask({})->next_query.empty());
}

TEST_CASE("pages follow each other without a gap until there is none") {
  Query query{
      {"limit", "2"}, {"by", "key,day"}, {"from", "2026-05-01"}, {"timezone", "Asia/Tokyo"}};
  std::string all;
  int pages = 0;
  while (true) {
    const auto answer = ask(query);
    all += keys_of(answer);
    ++pages;
    if (answer->next_query.empty())
      break;
    query = next_of(*answer);
    REQUIRE(pages < 10);
  }
  CHECK(pages == 3);
  CHECK(all == "gone k0 k1 k2 k3 k4 ");
  query.erase("after");
  query.emplace("after", R"(["nobody","2026-05-10"])");
  CHECK(ask(query).error().code == ErrorCode::not_found);
}

TEST_CASE("a confined asker sees the usage of its pools' keys, and no other pool's name") {
  const Principal who{model::Role::read, {"a"}};
  CHECK(keys_of(ask({}, who)) == "k0 k2 k4 ");
  CHECK(keys_of(ask({{"key", "k1,k2,gone"}}, who)) == "k2 ");
  CHECK(keys_of(ask({{"pool", "b"}}, who)).empty());
  const auto by_pool = ask({{"by", "pool"}}, who);
  REQUIRE(by_pool);
  const auto lines = *parse_json(by_pool->body);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0]["pool"] == "a");
  CHECK(lines[0]["requests"] == 3);
  CHECK(keys_of(ask({}, {model::Role::read, {"nowhere"}})).empty());
}

TEST_CASE("only the keys that are asked for are read, none when there are none") {
  const auto asked = [](const Query& query, const Principal& who) {
    History history;
    const auto request = parse_usage_request(query, "UTC", kNow);
    REQUIRE(request);
    REQUIRE(make_usage_answer(*request, herd(), who, history.reader()));
    return std::pair(history.reads, history.asked.keys);
  };
  CHECK(asked({{"key", "k1"}}, {}) == std::pair(1, std::vector<std::string>{"k1"}));
  CHECK(asked({}, {model::Role::read, {"a"}}) ==
        std::pair(1, std::vector<std::string>{"k0", "k2", "k4"}));
  CHECK(asked({{"key", "k1"}}, {model::Role::read, {"a"}}).first == 0);
}

TEST_CASE("a parameter that cannot be is refused, not ignored") {
  for (const auto& [name, value] :
       {std::pair{"colour", "red"}, std::pair{"by", "colour"}, std::pair{"from", "soon"},
        std::pair{"timezone", "Mars/Olympus"}, std::pair{"limit", "0"}, std::pair{"limit", "all"},
        std::pair{"day", "2026-05-01"}, std::pair{"after", "{}"}, std::pair{"after", "[\"k\"]"}}) {
    INFO(name << "=" << value);
    const auto request = parse_usage_request({{name, value}}, "UTC", kNow);
    REQUIRE_FALSE(request);
    CHECK(request.error().code == ErrorCode::invalid);
  }
  CHECK(parse_usage_request({}, "Asia/Tokyo", kNow)->question.timezone == "Asia/Tokyo");
}
