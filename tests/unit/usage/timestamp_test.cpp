#include <catch2/catch.hpp>

#include "base/time_text.hpp"
#include "usage/timestamp.hpp"

using namespace keyherd;
using usage::parse_timestamp;

TEST_CASE("time stamps by position agree with the general parser") {
  const char* stamps[] = {"2026-05-01T12:34:56Z",
                          "2026-05-01T12:34:56.7Z",
                          "2026-05-01T12:34:56.123456789Z",
                          "2026-05-01T12:34:56.1234567891Z",
                          "2026-05-01T12:34:56+08:00",
                          "2026-05-01 12:34:56Z",
                          "2026-05-01t12:34:56z",
                          "2024-02-29T00:00:00Z",
                          "2025-02-29T00:00:00Z",
                          "2026-02-30T00:00:00Z",
                          "2100-02-29T00:00:00Z",
                          "2000-02-29T23:59:59Z",
                          "1970-01-01T00:00:00Z",
                          "1969-12-31T23:59:59Z",
                          "2016-12-31T23:59:60Z",
                          "2261-01-01T00:00:00Z",
                          "2300-01-01T00:00:00Z",
                          "2026-05-01T24:00:00Z",
                          "2026-05-01T12:60:00Z",
                          "2026-13-01T12:00:00Z",
                          "2026-00-01T12:00:00Z",
                          "2026-05-00T12:00:00Z",
                          "2026-05-01T12:34:56",
                          "2026-05-01T12:34:56.Z",
                          "2026-05-01T12:34:56.1xZ",
                          "2026-05-01T12:34Z",
                          "2026-05-0aT12:34:56Z",
                          "yesterday",
                          "",
                          "Z"};
  for (const std::string text : stamps) {
    CAPTURE(text);
    const auto expected = parse_rfc3339(text);
    const auto got = parse_timestamp(text);
    CHECK(got.has_value() == expected.has_value());
    if (got && expected)
      CHECK(*got == to_unix_nanos(*expected));
  }
}

TEST_CASE("every day from 1970 to 2200 agrees with the general parser") {
  for (WallTime day; day < WallTime(std::chrono::hours(24 * 365 * 231));
       day += std::chrono::hours(24 * 7) + std::chrono::seconds(3'601)) {
    const std::string text = format_rfc3339(day);
    CAPTURE(text);
    REQUIRE(parse_timestamp(text) == to_unix_nanos(day));
  }
}
