#include "probe/reset_time.hpp"

#include <catch2/catch.hpp>

#include "base/time_text.hpp"
#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace std::chrono_literals;
using probe::parse_reset_time;
using probe::ResetUnit;

namespace {

const WallTime kNow = test::ManualClock().now().wall;  // 2026-05-01T00:00:00Z

std::string parsed(std::string_view text, ResetUnit unit = ResetUnit::seconds,
                   std::chrono::nanoseconds skew = 0s) {
  const auto time = parse_reset_time(text, kNow, unit, skew);
  return time ? format_rfc3339(*time) : "none";
}

}  // namespace

TEST_CASE("bare numbers are seconds, milliseconds or epochs by their header and size", "[probe]") {
  CHECK(parsed("0") == "2026-05-01T00:00:00Z");
  CHECK(parsed(" 12 ") == "2026-05-01T00:00:12Z");
  CHECK(parsed("1.5") == "2026-05-01T00:00:01.500Z");
  CHECK(parsed("250", ResetUnit::milliseconds) == "2026-05-01T00:00:00.250Z");
  CHECK(parsed("1777593660") == "2026-05-01T00:01:00Z");
  CHECK(parsed("1777593660000") == "2026-05-01T00:01:00Z");
  CHECK(parsed("1777593660000", ResetUnit::milliseconds) == "2026-05-01T00:01:00Z");
}

TEST_CASE("Go durations are added up", "[probe]") {
  CHECK(parsed("12ms") == "2026-05-01T00:00:00.012Z");
  CHECK(parsed("1s") == "2026-05-01T00:00:01Z");
  CHECK(parsed("6m0s") == "2026-05-01T00:06:00Z");
  CHECK(parsed("1h2m3s") == "2026-05-01T01:02:03Z");
  CHECK(parsed("2m59.56s") == "2026-05-01T00:02:59.560Z");
  CHECK(parsed("1d") == "2026-05-02T00:00:00Z");
  CHECK(parsed("500us") != "none");
  CHECK(parsed("500µs") != "none");
  CHECK(parsed("27s") == "2026-05-01T00:00:27Z");
}

TEST_CASE("RFC 3339 and HTTP dates are absolute", "[probe]") {
  CHECK(parsed("2026-05-01T12:00:00Z") == "2026-05-01T12:00:00Z");
  CHECK(parsed("2026-05-01T12:00:00+08:00") == "2026-05-01T04:00:00Z");
  CHECK(parsed("Fri, 01 May 2026 00:02:00 GMT") == "2026-05-01T00:02:00Z");
}

TEST_CASE("times in the past mean now", "[probe]") {
  CHECK(parsed("2020-01-01T00:00:00Z") == "2026-05-01T00:00:00Z");
  CHECK(parsed("Thu, 30 Apr 2026 00:00:00 GMT") == "2026-05-01T00:00:00Z");
}

TEST_CASE("what is no time, or none to wait for, is unset", "[probe]") {
  for (const char* text : {"",
                           " ",
                           "None",
                           "-",
                           "-1",
                           "-0.5",
                           "soon",
                           "12 parsecs",
                           "5x",
                           "1.",
                           ".5",
                           "1e9",
                           "0x10",
                           "1s2",
                           "NaN",
                           "inf",
                           "2026-13-01T00:00:00Z",
                           "Fri, 31 Feb 2026 00:00:00 GMT",
                           "Fri, 01 Moy 2026 00:00:00 GMT",
                           "Fri, 01 May 2026 25:00:00 GMT",
                           "99999999999999999999999999999",
                           "1000000000",
                           "9999999h",
                           "2999-01-01T00:00:00Z",
                           "2027-05-01T00:00:00Z"}) {
    INFO(text);
    CHECK(parsed(text) == "none");
  }
}

TEST_CASE("a provider's wrong clock corrects absolute times only", "[probe]") {
  CHECK(parsed("Fri, 01 May 2026 01:02:00 GMT", ResetUnit::seconds, 1h) == "2026-05-01T00:02:00Z");
  CHECK(parsed("120", ResetUnit::seconds, 1h) == "2026-05-01T00:02:00Z");
}

TEST_CASE("the clock skew comes from the Date header, beyond what the network explains",
          "[probe]") {
  const auto skew = [](const char* date) {
    net::HttpResponse response;
    response.headers.emplace("date", date);
    return probe::clock_skew(response, kNow);
  };
  CHECK(skew("Fri, 01 May 2026 01:00:00 GMT") == 1h);
  CHECK(skew("Thu, 30 Apr 2026 23:00:00 GMT") == -1h);
  CHECK(skew("Fri, 01 May 2026 00:00:04 GMT") == 0s);
  CHECK(skew("yesterday") == 0s);
  CHECK(probe::clock_skew(net::HttpResponse{}, kNow) == 0s);
}
