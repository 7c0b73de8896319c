#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "base/random.hpp"
#include "usage/seen_ids.hpp"

using namespace keyherd;
using namespace keyherd::usage;
using Answer = SeenIds::Answer;

namespace {

constexpr std::uint64_t kScope = 7;
const WallTime kStart = WallTime(std::chrono::hours(24 * 365 * 56));

std::uint64_t id(std::uint64_t n) {
  return SeenIds::hash_of(kScope, "req-" + std::to_string(n));
}
// How many of the ids first … last are known. Asking is adding: so on a copy.
std::size_t known(SeenIds seen, std::uint64_t first, std::uint64_t last) {
  std::size_t count = 0;
  for (std::uint64_t n = first; n <= last; ++n)
    count += seen.add(id(n), 0) == Answer::fresh ? 0 : 1;
  return count;
}

}  // namespace

TEST_CASE("an id is fresh once, then repeated, or conflicting with other numbers") {
  SeenIds seen({});
  CHECK(seen.add(id(1), 100) == Answer::fresh);
  CHECK(seen.add(id(1), 100) == Answer::repeated);
  CHECK(seen.add(id(1), 101) == Answer::conflicting);
  CHECK(seen.add(id(2), 101) == Answer::fresh);
  CHECK(seen.add(SeenIds::hash_of(kScope + 1, "req-1"), 100) == Answer::fresh);
  CHECK(seen.size() == 3);
}

TEST_CASE("a table that grows forgets nothing and takes no new id for a known one") {
  SeenIds seen({});
  constexpr std::uint64_t kIds = 1'000'000;
  std::size_t fresh = 0;
  for (std::uint64_t n = 0; n < kIds; ++n)
    fresh += seen.add(id(n), 0) == Answer::fresh ? 1 : 0;
  CHECK(fresh == kIds);
  CHECK(known(seen, 0, kIds - 1) == kIds);
  CHECK(seen.memory_bytes() <= 17U << 20U);
}

TEST_CASE("beyond the limit the oldest are forgotten in bulk, and the memory is bounded") {
  SeenIds seen({80'000, std::chrono::hours(24)});
  std::uint64_t n = 0;
  for (int batch = 0; batch < 600; ++batch) {
    seen.advance(kStart + std::chrono::seconds(batch));
    for (int i = 0; i < 1'000; ++i)
      REQUIRE(seen.add(id(n++), 0) == Answer::fresh);
    REQUIRE(seen.size() <= 81'000);
    REQUIRE(seen.memory_bytes() <= 1U << 20U);
  }
  CHECK(known(seen, n - 70'000, n - 1) == 70'000);
  CHECK(known(seen, 0, n - 90'000) == 0);
}

TEST_CASE("at a limit of five million ids the memory stays where it was") {
  SeenIds seen({5'000'000, std::chrono::hours(24)});
  std::uint64_t n = 0;
  std::size_t fresh = 0;
  for (int batch = 0; batch < 60; ++batch) {
    seen.advance(kStart + std::chrono::seconds(batch));
    for (int i = 0; i < 100'000; ++i)
      fresh += seen.add(id(n++), 0) == Answer::fresh ? 1 : 0;
    seen.take_new();
  }
  CHECK(fresh == n);
  CHECK(seen.size() <= 5'100'000);
  CHECK(seen.memory_bytes() == std::size_t{64} << 20U);
  CHECK(known(seen, n - 4'000'000, n - 1) == 4'000'000);
}

TEST_CASE("ids are forgotten once they are older than the window, and not before") {
  SeenIds seen({1'000'000, std::chrono::hours(8)});
  for (int hour = 0; hour < 48; ++hour) {
    seen.advance(kStart + std::chrono::hours(hour));
    seen.add(id(static_cast<std::uint64_t>(hour)), 0);
  }
  CHECK(known(seen, 40, 47) == 8);
  CHECK(known(seen, 0, 37) == 0);
  seen.advance(kStart + std::chrono::hours(1000));
  CHECK(known(seen, 0, 47) == 0);
  CHECK(seen.size() == 0);
}

TEST_CASE("a clock that steps back forgets nothing") {
  SeenIds seen({1'000, std::chrono::hours(8)});
  for (int step = 0; step < 40; ++step) {
    seen.advance(kStart - std::chrono::hours(step));
    CHECK(seen.add(id(static_cast<std::uint64_t>(step)), 0) == Answer::fresh);
  }
  CHECK(known(seen, 0, 39) == 40);
}

TEST_CASE("what was stored is known to the next process, with its numbers and its age") {
  const SeenIds::Limits limits{50'000, std::chrono::hours(8)};
  SeenIds first(limits);
  std::vector<model::SeenBlock> blocks;
  for (std::uint64_t n = 0; n < 60'000; ++n) {
    if (n % 500 == 0)
      first.advance(kStart + std::chrono::seconds(n / 10));
    first.add(id(n), static_cast<std::uint32_t>(n));
    if (n % 500 == 499) {
      for (const auto& fresh : first.take_new())
        blocks.push_back(*fresh);
    }
  }
  std::erase_if(blocks, [&](const auto& block) { return block.epoch < first.oldest_epoch(); });
  SeenIds second(limits);
  second.restore(blocks);
  CHECK(second.size() == first.size());
  CHECK(second.oldest_epoch() == first.oldest_epoch());
  CHECK(second.add(id(59'999), 59'999) == Answer::repeated);
  CHECK(second.add(id(59'999), 1) == Answer::conflicting);
  CHECK(known(second, 0, 60'000) == known(first, 0, 60'000));
  second.advance(kStart + std::chrono::hours(20));
  CHECK(second.size() == 0);
}

TEST_CASE("a refused batch was never seen") {
  SeenIds seen({});
  seen.advance(kStart);
  seen.add(id(1), 0);
  const auto fresh = seen.take_new();
  REQUIRE(fresh.size() == 1);
  CHECK(fresh.front()->ids.size() == 10);
  CHECK(seen.take_new().empty());
  seen.add(id(1), 0);
  seen.add(id(2), 0);
  seen.forget(seen.take_new());
  CHECK(seen.add(id(1), 0) == Answer::repeated);
  CHECK(seen.add(id(2), 0) == Answer::fresh);
}

TEST_CASE("a large batch is kept in pieces, and none of it is lost") {
  SeenIds first({});
  first.advance(kStart);
  for (std::uint64_t n = 0; n < 100'000; ++n)
    first.add(id(n), 0);
  const auto blocks = first.take_new();
  CHECK(blocks.size() > 10);
  std::vector<model::SeenBlock> stored;
  for (const auto& block : blocks) {
    CHECK(block->ids.size() <= 64'000);
    stored.push_back(*block);
  }
  SeenIds second({});
  second.restore(stored);
  CHECK(known(second, 0, 100'000) == 100'000);
  first.forget(blocks);
  CHECK(first.size() == 0);
}

TEST_CASE("whatever is added, refused and forgotten, the table agrees with a plain set") {
  SeededRandom random(5);
  SeenIds seen({30'000, std::chrono::hours(1'000)});
  std::map<std::int64_t, std::set<std::uint64_t>> epochs;
  for (int batch = 0; batch < 400; ++batch) {
    seen.advance(kStart + std::chrono::seconds(batch));
    std::erase_if(epochs, [&](const auto& epoch) { return epoch.first < seen.oldest_epoch(); });
    std::set<std::uint64_t> added;
    for (int i = 0; i < 300; ++i) {
      const std::uint64_t one = id(random.next() % 60'000);
      const bool is_known =
          added.contains(one) || std::any_of(epochs.begin(), epochs.end(), [&](const auto& epoch) {
            return epoch.second.contains(one);
          });
      REQUIRE((seen.add(one, 0) == Answer::fresh) != is_known);
      if (!is_known)
        added.insert(one);
    }
    const auto blocks = seen.take_new();
    if (random.next() % 3 == 0)
      seen.forget(blocks);
    else if (!blocks.empty())
      epochs[blocks.front()->epoch].insert(added.begin(), added.end());
    std::size_t count = 0;
    for (const auto& [number, ids] : epochs)
      count += ids.size();
    REQUIRE(seen.size() == count);
  }
}
