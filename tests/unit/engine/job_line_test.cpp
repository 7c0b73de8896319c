#include "engine/job_line.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <vector>

using namespace keyherd::engine;

TEST_CASE("jobs are done one after the other, in their order, and more than fit are refused") {
  std::promise<void> started;
  std::promise<void> go_on;
  std::promise<void> done;
  std::vector<int> order;
  JobLine line(2);
  REQUIRE(line.add([&](const std::stop_token&) {
    started.set_value();
    go_on.get_future().wait();
    order.push_back(1);
  }));
  started.get_future().wait();
  REQUIRE(line.add([&](const std::stop_token&) { order.push_back(2); }));
  REQUIRE(line.add([&](const std::stop_token&) {
    order.push_back(3);
    done.set_value();
  }));
  CHECK_FALSE(line.add([](const std::stop_token&) {}));
  go_on.set_value();
  done.get_future().wait();
  CHECK(order == std::vector<int>{1, 2, 3});
}

TEST_CASE("a line that had nothing to do for a while takes the next job") {
  JobLine line(1);
  for (int i = 0; i < 50; ++i) {
    std::promise<void> done;
    while (!line.add([&](const std::stop_token&) { done.set_value(); })) {
    }
    done.get_future().wait();
  }
  SUCCEED("all were done");
}

TEST_CASE("a stopped line ends the job that runs, drops the others and takes no more") {
  std::promise<void> started;
  bool dropped = true;
  JobLine line(5);
  REQUIRE(line.add([&](const std::stop_token& stop) {
    started.set_value();
    while (!stop.stop_requested())
      std::this_thread::yield();
  }));
  REQUIRE(line.add([&](const std::stop_token&) { dropped = false; }));
  started.get_future().wait();
  line.stop();
  CHECK(dropped);
  CHECK_FALSE(line.add([](const std::stop_token&) {}));
}
