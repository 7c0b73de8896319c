#include "metrics/process_stats.hpp"

#include <catch2/catch.hpp>

namespace {

using keyherd::metrics::KernelUnits;
using keyherd::metrics::parse_process_stat;

TEST_CASE("The kernel's line about a process is read, even behind a spiteful name") {
  const auto stats = parse_process_stat(
      "42 (key) herd (x) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 7 0 1000 8192000 300 1 "
      "2\n",
      KernelUnits{100, 4096, 1'700'000'000});
  REQUIRE(stats);
  CHECK(stats->cpu_seconds == Approx(3.0));
  CHECK(stats->start_time_seconds == Approx(1'700'000'010.0));
  CHECK(stats->virtual_bytes == 8'192'000);
  CHECK(stats->resident_bytes == 300 * 4096);
}

TEST_CASE("Another text is no statistics of a process") {
  CHECK_FALSE(parse_process_stat("", {}));
  CHECK_FALSE(parse_process_stat("42 (keyherd", {}));
  CHECK_FALSE(parse_process_stat("42 (keyherd)", {}));
  CHECK_FALSE(parse_process_stat("42 (keyherd) S 1 2 3", {}));
}

TEST_CASE("This process has a start, memory and open files") {
  const auto stats = keyherd::metrics::read_process_stats();
  REQUIRE(stats);
  CHECK(stats->start_time_seconds > 1'000'000'000);
  CHECK(stats->resident_bytes > 100'000);
  CHECK(stats->virtual_bytes >= stats->resident_bytes);
  CHECK(stats->open_fds >= 1);
  CHECK(stats->max_fds >= stats->open_fds);
}

}  // namespace
