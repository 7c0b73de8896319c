#include "engine/deliveries.hpp"

#include <catch2/catch.hpp>

#include <future>

#include "engine/tail_thread.hpp"
#include "support/memory_files.hpp"

using namespace keyherd;
using namespace keyherd::engine;

namespace {

constexpr std::chrono::seconds kPatience{30};

std::shared_ptr<const model::UsageContext> one_key() {
  auto context = std::make_shared<model::UsageContext>();
  context->keys["k1"] = {"k1", "p", false};
  return context;
}

model::UsageLog log_by_http(const std::string& id) {
  model::UsageLog log;
  log.id = id;
  return log;
}

const std::string kLine = R"({"ts":"2026-05-01T00:00:00Z","key":"k1","input_tokens":7})"
                          "\n";

}  // namespace

TEST_CASE("what waits for the store is bounded, and there is room again once it is there") {
  Deliveries deliveries({2, 100});
  int done = 0;
  const auto delivery = [&](std::size_t size) {
    return Delivery{"log", std::string(size, 'x'), [&](auto) { ++done; }};
  };
  CHECK_FALSE(deliveries.add(delivery(101)));
  CHECK(deliveries.add(delivery(60)));
  CHECK_FALSE(deliveries.add(delivery(41)));
  CHECK(deliveries.add(delivery(1)));
  CHECK_FALSE(deliveries.add(delivery(1)));
  auto taken = deliveries.take();
  REQUIRE(taken.size() == 2);
  CHECK_FALSE(deliveries.add(delivery(1)));  // taken is not yet saved
  model::Tally tally;
  tally.batch = 5;
  deliveries.await(std::move(taken[0]), tally);
  deliveries.settle(4, true);
  CHECK(done == 0);
  deliveries.settle(5, true);
  CHECK(done == 1);
  CHECK(deliveries.add(delivery(1)));
  deliveries.refuse(taken[1], Error{ErrorCode::not_found, "no usage log"});
  CHECK(done == 2);
}

TEST_CASE("a delivery is answered when its lines are in the store, not before") {
  std::promise<model::Tally> counted;
  std::promise<Result<api::DeliveryReport>> answered;
  test::MemoryFileSystem files;
  const SystemClock clock;
  TailThread tail(files, clock, {}, {}, [&](model::Tally tally, const std::stop_token&) {
    if (tally.batch != 0)
      counted.set_value(std::move(tally));
    return true;
  });
  tail.configure({log_by_http("http")}, one_key());
  REQUIRE(tail.deliver({"http", kLine + "nonsense\n", [&](Result<api::DeliveryReport> report) {
                          answered.set_value(std::move(report));
                        }}));
  auto tally = counted.get_future();
  REQUIRE(tally.wait_for(kPatience) == std::future_status::ready);
  const model::Tally what = tally.get();
  CHECK(what.source == "http");
  REQUIRE(what.usage.size() == 1);
  CHECK(what.usage[0].counts.input == 7);
  auto answer = answered.get_future();
  CHECK(answer.wait_for(std::chrono::milliseconds(0)) == std::future_status::timeout);
  tail.committed(what.source, what.batch);
  REQUIRE(answer.wait_for(kPatience) == std::future_status::ready);
  const auto report = answer.get();
  REQUIRE(report);
  CHECK(report->counts.records == 1);
  CHECK(report->samples.size() == 1);
}

TEST_CASE("lines for a log that is not configured are refused") {
  std::promise<Result<api::DeliveryReport>> answered;
  test::MemoryFileSystem files;
  const SystemClock clock;
  TailThread tail(files, clock, {}, {},
                  [](const model::Tally&, const std::stop_token&) { return true; });
  tail.configure({log_by_http("http")}, one_key());
  REQUIRE(tail.deliver({"other", kLine, [&](Result<api::DeliveryReport> report) {
                          answered.set_value(std::move(report));
                        }}));
  auto answer = answered.get_future();
  REQUIRE(answer.wait_for(kPatience) == std::future_status::ready);
  CHECK(answer.get().error().code == ErrorCode::not_found);
}
