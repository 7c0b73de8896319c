#include "model/usage.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "base/time_text.hpp"
#include "model/snapshot.hpp"

using namespace keyherd;
using namespace keyherd::model;

TEST_CASE("a thousand successful requests cost what all cost, rounded at a nano") {
  keyherd::model::UsageCounts counts;
  CHECK(keyherd::model::cost_per_thousand(counts) == std::nullopt);
  counts.requests = 5;
  counts.failed = 2;
  counts.cost = 1;
  CHECK(keyherd::model::cost_per_thousand(counts) == 333);
  counts.cost = std::numeric_limits<std::int64_t>::max();
  CHECK(keyherd::model::cost_per_thousand(counts) == std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("buckets are quarter hours, also before 1970") {
  CHECK(bucket_of(from_unix_nanos(0)) == 0);
  CHECK(bucket_of(*parse_rfc3339("1970-01-01T00:14:59.999Z")) == 0);
  CHECK(bucket_of(*parse_rfc3339("1970-01-01T00:15:00Z")) == 1);
  CHECK(bucket_of(from_unix_nanos(-1)) == -1);
  CHECK(bucket_start(4) == *parse_rfc3339("1970-01-01T01:00:00Z"));
  CHECK(minute_of(*parse_rfc3339("1970-01-01T00:01:59Z")) == 1);
}

TEST_CASE("counts add up and stop at the ends") {
  UsageCounts a;
  a.requests = 1;
  a.input = std::numeric_limits<std::int64_t>::max();
  UsageCounts b;
  b.requests = 2;
  b.input = 5;
  b.cost = 7;
  a.add(b);
  CHECK(a.requests == 3);
  CHECK(a.input == std::numeric_limits<std::int64_t>::max());
  CHECK(a.cost == 7);
}

TEST_CASE("views are found by id") {
  Snapshot snapshot;
  for (const char* id : {"a", "c", "e"}) {
    auto view = std::make_shared<KeyView>();
    view->key.id = id;
    snapshot.keys.push_back(view);
  }
  REQUIRE(find_key(snapshot, "c") != nullptr);
  CHECK(find_key(snapshot, "c")->key.id == "c");
  CHECK(find_key(snapshot, "b") == nullptr);
  CHECK(find_key(snapshot, "f") == nullptr);
  CHECK(find_pool(snapshot, "a") == nullptr);
}
