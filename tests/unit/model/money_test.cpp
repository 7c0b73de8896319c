#include "model/money.hpp"

#include <catch2/catch.hpp>

using namespace keyherd::model;

TEST_CASE("decimals become exact nano-USD") {
  CHECK(parse_usd("0") == 0);
  CHECK(parse_usd("0.000132") == 132'000);
  CHECK(parse_usd("1.5e-4") == 150'000);
  CHECK(parse_usd("12") == 12 * kNanosPerUsd);
  CHECK(parse_usd("0.0000000004") == 0);
  CHECK(parse_usd("0.0000000005") == 1);  // half up
  CHECK(parse_usd("0.1") == 100'000'000);
  CHECK(parse_usd("9223372036.854775807") == 9'223'372'036'854'775'807);
  CHECK(parse_usd("1E3") == 1000 * kNanosPerUsd);
}

TEST_CASE("what is not a decimal, or does not fit, is refused") {
  for (const char* bad : {"", ".", "-1", "1.2.3", "1e", "1e9999", "9223372036.854775808",
                          "99999999999", "NaN", "inf", "0x10", "1 ", "$1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_usd(bad));
  }
}

TEST_CASE("amounts are written without loss") {
  CHECK(format_usd(132'000) == "0.000132");
  CHECK(format_usd(0) == "0");
  CHECK(format_usd(-1'500'000'000) == "-1.5");
  CHECK(format_usd(std::numeric_limits<NanoUsd>::min()) == "-9223372036.854775808");
  for (const NanoUsd nanos : {1LL, 999'999'999LL, 1'000'000'000LL, 123'456'789'012'345LL})
    CHECK(parse_usd(format_usd(nanos)) == nanos);
}

TEST_CASE("sums stop at the ends of the range") {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  CHECK(saturating_add(kMax, 1) == kMax);
  CHECK(saturating_add(-kMax, -10) == std::numeric_limits<std::int64_t>::min());
  CHECK(saturating_add(2, 3) == 5);
}

TEST_CASE("amounts of a currency become USD exactly, rounded half away from zero") {
  CHECK(convert(1'000'000'000, 140'000'000) == 140'000'000);
  CHECK(convert(25, 140'000'000) == 4);  // 3.5
  CHECK(convert(-25, 140'000'000) == -4);
  CHECK(convert(24, 140'000'000) == 3);
  CHECK(convert(std::numeric_limits<std::int64_t>::max(), 2 * kNanosPerUsd) ==
        std::numeric_limits<std::int64_t>::max());
  CHECK(saturating_sub(std::numeric_limits<std::int64_t>::min(), 1) ==
        std::numeric_limits<std::int64_t>::min());
  CHECK(saturating_sub(5, -7) == 12);
}
