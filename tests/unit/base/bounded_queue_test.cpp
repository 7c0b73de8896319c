#include "base/bounded_queue.hpp"

#include <catch2/catch.hpp>
#include <thread>

using namespace keyherd;
using namespace std::chrono_literals;

TEST_CASE("a full queue refuses, an emptied one takes again, order is kept") {
  BoundedQueue<int> queue(2);
  CHECK(queue.try_push(1));
  CHECK(queue.try_push(2));
  CHECK_FALSE(queue.try_push(3));
  CHECK(queue.pop_all(std::chrono::steady_clock::now(), {}) == std::vector<int>{1, 2});
  CHECK(queue.try_push(3));
  CHECK(queue.pop(std::chrono::steady_clock::now(), {}) == 3);
  CHECK_FALSE(queue.pop(std::chrono::steady_clock::now(), {}));
}

TEST_CASE("a waiting producer goes on when there is room, and gives up when stopped") {
  BoundedQueue<int> queue(1);
  REQUIRE(queue.try_push(1));
  std::stop_source stop;
  bool pushed = false;
  bool refused = false;
  std::jthread producer([&] {
    pushed = queue.push(2, {});
    refused = !queue.push(3, stop.get_token());
  });
  CHECK(queue.pop(std::chrono::steady_clock::now() + 5s, {}) == 1);
  while (queue.size() == 0)
    std::this_thread::yield();
  stop.request_stop();
  producer.join();
  CHECK(pushed);
  CHECK(refused);
}

TEST_CASE("many producers lose nothing") {
  BoundedQueue<int> queue(16);
  constexpr int kEach = 2'000;
  std::vector<std::jthread> producers;
  for (int p = 0; p < 4; ++p)
    producers.emplace_back([&] {
      for (int i = 0; i < kEach; ++i)
        REQUIRE(queue.push(1, {}));
    });
  int sum = 0;
  while (sum < 4 * kEach) {
    for (const int one : queue.pop_all(std::chrono::steady_clock::now() + 5s, {}))
      sum += one;
  }
  CHECK(sum == 4 * kEach);
}
