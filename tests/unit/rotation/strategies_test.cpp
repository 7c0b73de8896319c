#include "rotation/strategies.hpp"

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace keyherd;
using namespace keyherd::test;
using rotation::Candidate;

namespace {

Candidate with_quota(Candidate one, model::QuotaStatus status) {
  one.quotas.push_back(std::move(status));
  return one;
}

std::vector<std::string> ranked(model::Strategy strategy, const std::vector<Candidate>& members,
                                std::string_view active) {
  model::Pool pool;
  pool.strategy = strategy;
  std::vector<std::string> keys;
  for (const Candidate* one :
       rotation::rank(strategy, members, rotation::usable(pool, members, kNow), active))
    keys.push_back(one->key);
  return keys;
}

double score(const Candidate& one) {
  return rotation::preference(model::Strategy::quota_aware, rotation::merits_of(one)).score;
}

using Keys = std::vector<std::string>;

}  // namespace

TEST_CASE("round robin goes on after the active key and comes round to it last") {
  const std::vector<Candidate> members{key("k1"), key("k2"), key("k3"), key("k4")};
  CHECK(ranked(model::Strategy::round_robin, members, "k2") == Keys{"k3", "k4", "k1", "k2"});
  CHECK(ranked(model::Strategy::round_robin, members, "k4") == Keys{"k1", "k2", "k3", "k4"});
  CHECK(ranked(model::Strategy::round_robin, members, "") == Keys{"k1", "k2", "k3", "k4"});
  CHECK(ranked(model::Strategy::round_robin, members, "gone") == Keys{"k1", "k2", "k3", "k4"});
}

TEST_CASE("round robin passes over keys with more than 5 % errors") {
  std::vector<Candidate> members{key("k1"), key("k2"), key("k3")};
  members[1].error_ratio = 0.051;
  members[2].error_ratio = 0.05;
  CHECK(ranked(model::Strategy::round_robin, members, "k1") == Keys{"k3", "k1"});
}

TEST_CASE("priority prefers the highest and goes round among equals") {
  const std::vector<Candidate> members{key("spare1", 1), key("main1", 3), key("spare2", 1),
                                       key("main2", 3)};
  CHECK(ranked(model::Strategy::priority, members, "main1") ==
        Keys{"main2", "main1", "spare2", "spare1"});
  CHECK(ranked(model::Strategy::priority, members, "") ==
        Keys{"main1", "main2", "spare1", "spare2"});
}

TEST_CASE("least used prefers the key with the fewest tokens logged") {
  std::vector<Candidate> members{key("k1"), key("k2"), key("k3")};
  members[0].tokens_used = 500;
  members[1].tokens_used = 20;
  members[2].tokens_used = 100;
  CHECK(ranked(model::Strategy::least_used, members, "k1") == Keys{"k2", "k3", "k1"});
}

TEST_CASE("lowest latency prefers the fastest, and a key without requests least") {
  std::vector<Candidate> members{key("k1"), key("k2"), key("k3")};
  members[0].latency = std::chrono::milliseconds(300);
  members[2].latency = std::chrono::milliseconds(200);
  CHECK(ranked(model::Strategy::lowest_latency, members, "k1") == Keys{"k3", "k1", "k2"});
}

TEST_CASE("quota aware scores the share that is left times the priority") {
  // Five keys of 50,000 tokens a day.
  const std::vector<Candidate> members{
      with_quota(key("k1", 3), quota(40'000, 50'000)),   // 0.2 × 3 = 0.6
      with_quota(key("k2", 1), quota(5'000, 50'000)),    // 0.9 × 1 = 0.9
      with_quota(key("k3", 2), quota(30'000, 50'000)),   // 0.4 × 2 = 0.8
      with_quota(key("k4", 3), quota(49'900, 50'000)),   // exactly 100 left: no candidate
      with_quota(key("k5", 3), quota(49'899, 50'000))};  // 101 left: the last candidate
  CHECK(score(members[0]) == Approx(0.6));
  CHECK(score(members[1]) == Approx(0.9));
  CHECK(ranked(model::Strategy::quota_aware, members, "") == Keys{"k2", "k3", "k1", "k5"});
}

TEST_CASE("quota aware looks at the scarcest quota, and a key without any is untouched") {
  Candidate both = with_quota(key("k1"), quota(0, 1'000'000));
  both.quotas.push_back(quota(75, 100, model::QuotaUnit::requests));
  CHECK(score(both) == Approx(0.25));
  CHECK(score(key("k2", 2)) == Approx(2.0));
}

TEST_CASE("equal scores are settled by priority, then by the round") {
  const std::vector<Candidate> members{with_quota(key("k1", 2), quota(500, 1'000)), key("k2"),
                                       key("k3")};
  CHECK(ranked(model::Strategy::quota_aware, members, "k2") == Keys{"k1", "k3", "k2"});
}

TEST_CASE("a reserve that the limit could never leave is not asked for") {
  model::Pool pool;
  pool.strategy = model::Strategy::quota_aware;
  Candidate small = with_quota(key("k1"), quota(59, 60, model::QuotaUnit::requests));
  CHECK_FALSE(rotation::unfit(pool, small, rotation::Demand::proven, kNow));
  small.quotas.front().used = 60;
  CHECK(rotation::unfit(pool, small, rotation::Demand::proven, kNow) ==
        "has 0 of 60 requests left in quota daily (needs more than 0)");
  const Candidate money =
      with_quota(key("k2"), quota(999'999'950, 1'000'000'000, model::QuotaUnit::usd));
  CHECK_FALSE(rotation::unfit(pool, money, rotation::Demand::proven, kNow));
}

TEST_CASE("other strategies use a quota up") {
  for (const auto strategy : {model::Strategy::round_robin, model::Strategy::priority}) {
    const std::vector<Candidate> members{with_quota(key("k1"), quota(49'999, 50'000)),
                                         with_quota(key("k2"), quota(50'000, 50'000))};
    CHECK(ranked(strategy, members, "") == Keys{"k1"});
  }
}

TEST_CASE("each reason not to use a key is said") {
  model::Pool pool;
  const auto reason = [&](const Candidate& one) {
    return rotation::unfit(pool, one, rotation::Demand::proven, kNow).value_or("");
  };
  CHECK(reason(key("k")).empty());
  CHECK(reason(key_that_is(model::KeyState::dead, "k")) == "is dead");
  CHECK(reason(key_that_is(model::KeyState::paused, "k")) == "is paused");
  CHECK(reason(key_that_is(model::KeyState::degraded, "k")) == "is degraded");
  CHECK(reason(key_that_is(model::KeyState::unknown, "k")) == "is not verified yet");
  Candidate waiting = key_that_is(model::KeyState::throttled, "k");
  waiting.cooldown_until = kNow + std::chrono::minutes(5);
  CHECK(reason(waiting) == "is throttled until 2026-05-01T00:05:00Z");
  waiting.state = model::KeyState::exhausted;
  CHECK(reason(waiting) == "is exhausted until 2026-05-01T00:05:00Z");
  Candidate bad = key("k");
  bad.secret_loaded = false;
  CHECK(reason(bad) == "has no secret loaded");
  bad = key("k");
  bad.verified = false;
  CHECK(reason(bad) == "is not verified: its latest evidence is not ok");
  bad = key("k");
  bad.frozen = true;
  CHECK(reason(bad) == "belongs to a provider that has an incident");
  bad = key("k");
  bad.expires_at = kNow;
  CHECK(reason(bad) == "expired at 2026-05-01T00:00:00Z");
  bad = key("k");
  bad.error_ratio = 0.12;
  CHECK(reason(bad) == "fails 12.0 % of its requests (limit 5.0 %)");
}
