#include "api/failure_limit.hpp"

#include <catch2/catch.hpp>

using namespace keyherd;
using namespace keyherd::api;
using std::chrono::seconds;

TEST_CASE("an address may be wrong ten times at once, then every six seconds") {
  FailureLimit limit;
  SteadyTime now(seconds(1'000));
  for (int i = 0; i < 10; ++i)
    CHECK(limit.take("10.0.0.1", now) == seconds(0));
  CHECK(limit.take("10.0.0.1", now) == seconds(6));
  CHECK(limit.take("10.0.0.1", now + seconds(4)) == seconds(2));
  CHECK(limit.take("10.0.0.2", now) == seconds(0));
  now += seconds(6);
  CHECK(limit.take("10.0.0.1", now) == seconds(0));
  CHECK(limit.take("10.0.0.1", now) == seconds(6));
  now += seconds(60);
  for (int i = 0; i < 10; ++i)
    CHECK(limit.take("10.0.0.1", now) == seconds(0));
  CHECK(limit.take("10.0.0.1", now) > seconds(0));
}

TEST_CASE("what was no failure is given back") {
  FailureLimit limit;
  const SteadyTime now(seconds(1'000));
  for (int i = 0; i < 100; ++i) {
    CHECK(limit.take("10.0.0.1", now) == seconds(0));
    limit.give_back("10.0.0.1");
  }
}

TEST_CASE("the addresses of one IPv6 network count as one") {
  CHECK(network_of("2001:db8:1:2::7") == network_of("2001:db8:1:2:ffff::1"));
  CHECK(network_of("2001:db8:1:2::7") != network_of("2001:db8:1:3::7"));
  CHECK(network_of("10.0.0.1") != network_of("10.0.0.2"));
}

TEST_CASE("only so many addresses are remembered; the worst are") {
  FailureLimit limit;
  const SteadyTime now(seconds(1'000));
  while (limit.take("6.6.6.6", now) == seconds(0)) {
  }
  for (int i = 0; i < 20'000; ++i)
    REQUIRE(limit.take("10." + std::to_string(i), now) == seconds(0));
  CHECK(limit.take("6.6.6.6", now) > seconds(0));
}
