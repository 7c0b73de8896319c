#include "base/time_text.hpp"

#include <catch2/catch.hpp>

using namespace keyherd;
using namespace std::chrono_literals;

TEST_CASE("RFC 3339 times are read with zone, fraction and leap second") {
  const auto seconds = [](std::string_view text) {
    const auto time = parse_rfc3339(text);
    REQUIRE(time);
    return to_unix_seconds(*time);
  };
  CHECK(seconds("1970-01-01T00:00:00Z") == 0);
  CHECK(seconds("2026-11-23T10:15:30Z") == 1795428930);
  CHECK(seconds("2026-11-23T12:15:30.250+02:00") == 1795428930.25);
  CHECK(seconds("2026-11-23 10:15:30z") == 1795428930);
  CHECK(seconds("2016-12-31T23:59:60Z") == seconds("2017-01-01T00:00:00Z"));
  CHECK(to_unix_nanos(*parse_rfc3339("2026-11-23T10:15:30.123456789Z")) == 1795428930123456789);
}

TEST_CASE("times that do not exist or lack a zone are refused with a hint") {
  const auto text =
      GENERATE("", "soon", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T24:00:00Z",
               "2026-01-01T00:00:00", "2026-01-01T00:00:00+25:00", "1969-12-31T23:59:59Z",
               "2026-01-01T00:00:00Zulu", "2026-1-1T0:0:0Z");
  CAPTURE(text);
  const auto time = parse_rfc3339(text);
  REQUIRE_FALSE(time);
  CHECK(time.error().code == ErrorCode::invalid);
  CHECK(time.error().message.find("write it like 2026-11-23T10:15:30Z") != std::string::npos);
}

TEST_CASE("times are written in UTC, with milliseconds only where there are some") {
  CHECK(format_rfc3339(from_unix_nanos(0)) == "1970-01-01T00:00:00Z");
  CHECK(format_rfc3339(from_unix_nanos(1795428930'250'000'000)) == "2026-11-23T10:15:30.250Z");
  CHECK(format_event_time(from_unix_nanos(0)) == "1970-01-01T00:00:00.000Z");
  CHECK(format_event_time(from_unix_nanos(1795428930'007'999'999)) == "2026-11-23T10:15:30.007Z");
}

TEST_CASE("durations are sums of number and unit") {
  CHECK(parse_duration("5m") == 5min);
  CHECK(parse_duration("1h30m") == 90min);
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("1.5s") == 1500ms);
  CHECK(parse_duration("2d") == 48h);
  CHECK(parse_duration("0s") == 0s);
  CHECK(format_duration(90min) == "1h30m");
  CHECK(format_duration(0s) == "0s");
  const auto bad = GENERATE("", "5", "m", "5 m", "-5m", "1..5s", "5x", "200000d", ".5s");
  CAPTURE(bad);
  CHECK_FALSE(parse_duration(bad));
}

TEST_CASE("people read at most two units") {
  CHECK(describe_duration(800ms) == "0.8s");
  CHECK(describe_duration(45s) == "45s");
  CHECK(describe_duration(12min + 5s) == "12m 5s");
  CHECK(describe_duration(76h) == "3d 4h");
}
