#include "rotation/dispenser.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "base/random.hpp"
#include "fixture.hpp"

using namespace keyherd;
using namespace keyherd::test;
using rotation::Candidate;
using rotation::Dispenser;
using rotation::Member;
using std::chrono::seconds;

namespace {

const SteadyTime kStart{std::chrono::hours(1)};
Instant at(std::chrono::nanoseconds later) {
  return {kNow + std::chrono::duration_cast<WallTime::duration>(later),
          kStart + std::chrono::duration_cast<SteadyTime::duration>(later)};
}

struct Bench {
  explicit Bench(model::Strategy strategy) { pool.strategy = strategy; }

  model::Pool pool;
  std::map<std::string, std::shared_ptr<rotation::KeyLoad>> loads;

  std::shared_ptr<const Member> member(const Candidate& candidate) {
    Member made = make_member(pool, candidate, kNow);
    auto& load = loads[candidate.key];
    if (!load)
      load = std::make_shared<rotation::KeyLoad>();
    made.load = load;
    made.usual_input = 100;
    return std::make_shared<const Member>(std::move(made));
  }
  Dispenser dispenser(const std::vector<Candidate>& candidates) {
    Dispenser::Members members;
    for (const Candidate& one : candidates)
      members.push_back(member(one));
    return {"prod", pool.strategy, std::move(members)};
  }
};

std::string next(const Dispenser& dispenser, Instant now = at(seconds(0)),
                 const std::vector<std::string>& exclude = {}) {
  const Member* chosen = dispenser.next(now, exclude);
  return chosen == nullptr ? "none" : chosen->key;
}

std::string take(const Dispenser& dispenser, int count, Instant now = at(seconds(0))) {
  std::string all;
  for (int i = 0; i < count; ++i)
    all += (i == 0 ? "" : " ") + next(dispenser, now);
  return all;
}

std::size_t below(Random& random, std::size_t limit) {
  return random.next() % limit;
}

Candidate with_quota(Candidate one, std::int64_t used, std::int64_t limit) {
  one.quotas.push_back(quota(used, limit));
  return one;
}

}  // namespace

TEST_CASE("in turn, each call gets the next key, and those that are unfit are passed over") {
  Bench bench(model::Strategy::round_robin);
  const auto dispenser =
      bench.dispenser({key("a"), key_that_is(model::KeyState::dead, "b"), key("c"), key("d")});
  CHECK(take(dispenser, 7) == "a c d a c d a");
}

TEST_CASE("the round goes on in the next table") {
  Bench bench(model::Strategy::round_robin);
  const auto first = bench.dispenser({key("a"), key("b"), key("c")});
  CHECK(take(first, 2) == "a b");
  CHECK(take(first.with({bench.member(key_that_is(model::KeyState::dead, "c"))}), 2) == "a b");
  auto second = bench.dispenser({key("a"), key("b"), key("c")});
  second.go_on_from(first);
  CHECK(next(second) == "c");
}

TEST_CASE("a key that was just refused is not handed out, at once, until its time") {
  Bench bench(model::Strategy::priority);
  const auto dispenser = bench.dispenser({key("main", 3), key("spare", 1)});
  CHECK(take(dispenser, 2) == "main main");
  bench.loads["main"]->skip(kNow, kNow + seconds(60), true);
  CHECK(take(dispenser, 2, at(seconds(59))) == "spare spare");
  CHECK(next(dispenser, at(seconds(60))) == "main");
}

TEST_CASE("a success after a refusal lifts it, but not what the provider asked for") {
  Bench bench(model::Strategy::priority);
  auto dispenser = bench.dispenser({key("main", 3), key("spare", 1)});
  bench.loads["main"]->skip(kNow, kNow + seconds(60), true);
  Candidate seen_to_work = key("main", 3);
  seen_to_work.last_ok_at = kNow + seconds(1);
  dispenser = dispenser.with({bench.member(seen_to_work)});
  CHECK(next(dispenser, at(seconds(2))) == "main");
  bench.loads["main"]->skip(kNow, kNow + seconds(60), false);
  CHECK(next(dispenser, at(seconds(2))) == "spare");
}

TEST_CASE("what was reported counts against a quota before it is in the store") {
  Bench bench(model::Strategy::quota_aware);
  const auto dispenser =
      bench.dispenser({with_quota(key("a"), 0, 10'000), with_quota(key("b"), 5'000, 10'000)});
  CHECK(next(dispenser) == "a");
  bench.loads["a"]->came_back(kStart);
  bench.loads["a"]->add_uncounted({1, 4'000, 2'000});
  CHECK(next(dispenser) == "b");
  bench.loads["a"]->add_uncounted({1, 3'900, 0});  // 100 left of it: no candidate
  CHECK(next(dispenser, at(seconds(0)), {"b"}) == "none");
  CHECK(dispenser.explain(at(seconds(0)), {"b"}).message ==
        "no key of pool prod may be handed out now: a is used up by what was just reported, or "
        "expired; b is excluded");
  bench.loads["a"]->remove_uncounted({2, 7'900, 2'000});
  CHECK(bench.loads["a"]->uncounted().input_tokens == 0);
  CHECK(next(dispenser) == "a");
}

TEST_CASE("what is out already weighs as much as a usual request, but condemns nobody") {
  Bench bench(model::Strategy::quota_aware);
  const auto dispenser =
      bench.dispenser({with_quota(key("a"), 0, 10'000), with_quota(key("b"), 200, 10'000)});
  // 100 tokens a request: after two, both have 9,800 left, and b has fewer out; and so on.
  CHECK(take(dispenser, 6) == "a a b a b a");
  for (int i = 0; i < 1'000; ++i)
    CHECK(dispenser.next(at(seconds(0))) != nullptr);
}

TEST_CASE("among equals the key with the fewest requests out is next") {
  Bench bench(model::Strategy::priority);
  const auto dispenser = bench.dispenser({key("a"), key("b"), key("c")});
  CHECK(take(dispenser, 3) == "a b c");
  bench.loads["b"]->came_back(kStart);
  CHECK(next(dispenser) == "b");
}

TEST_CASE("requests of which nobody reports are forgotten after minutes") {
  rotation::KeyLoad load;
  for (int i = 0; i < 5; ++i)
    load.handed_out(kStart + seconds(i * 60));
  CHECK(load.in_flight(kStart + seconds(240)) == 5);
  load.came_back(kStart + seconds(240));
  CHECK(load.in_flight(kStart + seconds(240)) == 4);
  CHECK(load.in_flight(kStart + seconds(240) + rotation::KeyLoad::kForgetAfter * 4 / 3) == 0);
  load.came_back(kStart + seconds(2'000));
  CHECK(load.in_flight(kStart + seconds(2'000)) == 0);
}

TEST_CASE("of many keys that are alike each has its turn") {
  const auto strategy = GENERATE(model::Strategy::round_robin, model::Strategy::quota_aware);
  Bench bench(strategy);
  std::vector<Candidate> candidates;
  for (int i = 0; i < 300; ++i)
    candidates.push_back(with_quota(key("k" + std::to_string(i)), 0, 1'000'000));
  const auto dispenser = bench.dispenser(candidates);
  for (int i = 0; i < 3'000; ++i)
    REQUIRE(dispenser.next(at(seconds(0))) != nullptr);
  for (const auto& [name, load] : bench.loads)
    CHECK(load->in_flight(kStart) == 10);
}

TEST_CASE("worse keys are handed out only when there is no better one") {
  Bench bench(model::Strategy::priority);
  Candidate stormy = key("stormy", 9);
  stormy.frozen = true;
  Candidate failing = key("failing", 5);
  failing.error_ratio = 0.5;
  const auto dispenser = bench.dispenser({stormy, failing, key("good")});
  CHECK(next(dispenser) == "good");
  CHECK(next(dispenser, at(seconds(0)), {"good"}) == "failing");
  CHECK(next(dispenser, at(seconds(0)), {"good", "failing"}) == "stormy");
}

TEST_CASE("a pool without a key says why and when to ask again") {
  Bench bench(model::Strategy::priority);
  Candidate throttled = key_that_is(model::KeyState::throttled, "a");
  throttled.cooldown_until = kNow + seconds(30);
  const auto dispenser =
      bench.dispenser({throttled, key_that_is(model::KeyState::dead, "b"), key("c"), key("d")});
  bench.loads["c"]->skip(kNow, kNow + seconds(20), false);
  CHECK(next(dispenser, at(seconds(0)), {"d"}) == "none");
  const auto nothing = dispenser.explain(at(seconds(0)), {"d"});
  CHECK(nothing.message ==
        "no key of pool prod may be handed out now: a is throttled until 2026-05-01T00:00:30Z; "
        "b is dead; c was just refused, and is left alone until 2026-05-01T00:00:20Z; and 1 more");
  CHECK(nothing.ask_again == kNow + seconds(20));
  CHECK(Bench(model::Strategy::priority).dispenser({}).next(at(seconds(0))) == nullptr);
}

TEST_CASE("threads that choose at once share the round evenly and lose no count") {
  Bench bench(model::Strategy::round_robin);
  const auto dispenser = bench.dispenser({key("a"), key("b"), key("c"), key("d")});
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i)
        static_cast<void>(dispenser.next(at(seconds(0))));
    });
  for (std::thread& thread : threads)
    thread.join();
  for (const auto& [name, load] : bench.loads)
    CHECK(load->in_flight(kStart) == 1'000);
}

TEST_CASE(
    "whatever is out and reported, the best key is handed out, and among equals the next one") {
  SeededRandom random(7);
  for (const auto strategy : {model::Strategy::least_used, model::Strategy::priority}) {
    Bench bench(strategy);
    std::vector<Candidate> candidates;
    for (int i = 0; i < 12; ++i) {
      Candidate one = key("k" + std::to_string(i), static_cast<int>(below(random, 3)) + 1);
      one.tokens_used = static_cast<std::int64_t>(below(random, 4)) * 100;
      candidates.push_back(one);
    }
    const auto dispenser = bench.dispenser(candidates);
    std::size_t turn = 0;
    for (int round = 0; round < 2'000; ++round) {
      // What it should be, by looking at each.
      std::optional<std::size_t> expected;
      std::tuple<double, int, std::int64_t, std::size_t> least;
      for (std::size_t i = 0; i < candidates.size(); ++i) {
        const auto& load = *bench.loads.at(candidates[i].key);
        const std::int64_t out = load.in_flight(kStart);
        const double used = strategy == model::Strategy::least_used
                                ? static_cast<double>(candidates[i].tokens_used +
                                                      load.uncounted().input_tokens + out * 100)
                                : 0;
        const std::tuple standing{used, -candidates[i].priority, out, (i + 12 - turn % 12) % 12};
        if (!expected || standing < least) {
          expected = i;
          least = standing;
        }
      }
      REQUIRE(next(dispenser) == candidates[*expected].key);
      turn = *expected + 1;
      auto& other = *bench.loads.at("k" + std::to_string(below(random, 12)));
      if (below(random, 2) == 0)
        other.came_back(kStart);
      if (below(random, 9) == 0)
        other.add_uncounted({1, static_cast<std::int64_t>(below(random, 200)), 0});
    }
  }
}

TEST_CASE("a recovered key is handed out more and more often over the ramp") {
  Bench bench(model::Strategy::priority);
  bench.pool.ramp = seconds(600);
  Candidate main = key("main", 9);
  main.recovered = true;
  main.state_since = kNow;
  const auto dispenser = bench.dispenser({main, key("spare", 1)});
  const auto share = [&](std::chrono::nanoseconds later) {
    int taken = 0;
    for (int i = 0; i < 1'000; ++i)
      taken += next(dispenser, at(later)) == "main" ? 1 : 0;
    return taken;
  };
  CHECK(share(seconds(0)) == 50);
  CHECK(share(seconds(150)) == Approx(250).margin(1));
  CHECK(share(seconds(450)) == Approx(750).margin(1));
  CHECK(share(seconds(600)) == 1'000);
  // It is better than none.
  CHECK(take(bench.dispenser({main, key_that_is(model::KeyState::dead, "spare")}), 3) ==
        "main main main");
}

TEST_CASE("the cheapest key is handed out, and of equal ones each in turn") {
  Bench bench(model::Strategy::cheapest);
  const auto priced = [](std::string id, model::NanoUsd price) {
    Candidate made = key(std::move(id));
    made.price = price;
    return made;
  };
  CHECK(next(bench.dispenser({key("unknown"), priced("dear", 9), priced("cheap", 2)})) == "cheap");
}
