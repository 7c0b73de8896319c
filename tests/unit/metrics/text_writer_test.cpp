#include "metrics/text_writer.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <limits>
#include <stdexcept>

namespace {

using keyherd::WallTime;
using keyherd::metrics::label;
using keyherd::metrics::money;
using keyherd::metrics::TextWriter;
using keyherd::metrics::timestamp;

std::string text_of(const std::function<void(TextWriter&)>& write) {
  std::string text;
  TextWriter out;
  write(out);
  out.take(text);
  return text;
}

// Of one sample of a family, what stands after the name.
template <class Value>
std::string written(Value value) {
  const std::string text = text_of([&](TextWriter& out) {
    out.family("keyherd_scrape_series");
    out.sample({}, {}, value);
  });
  const std::string start = "\nkeyherd_scrape_series ";
  const std::size_t at = text.find(start) + start.size();
  return text.substr(at, text.find('\n', at) - at);
}

TEST_CASE("Money is written exactly, without trailing zeros") {
  CHECK(written(money(0)) == "0");
  CHECK(written(money(1)) == "0.000000001");
  CHECK(written(money(132'000)) == "0.000132");
  CHECK(written(money(1'000'000'000)) == "1");
  CHECK(written(money(12'340'000'000)) == "12.34");
  CHECK(written(money(-1'230'000'000)) == "-1.23");
  CHECK(written(money(-1)) == "-0.000000001");
  CHECK(written(money(std::numeric_limits<std::int64_t>::max())) == "9223372036.854775807");
  CHECK(written(money(std::numeric_limits<std::int64_t>::min())) == "-9223372036.854775808");
}

TEST_CASE("Times are seconds, to the millisecond") {
  using std::chrono::milliseconds;
  CHECK(written(timestamp(WallTime(milliseconds(1'777'593'600'000)))) == "1777593600");
  CHECK(written(timestamp(WallTime(milliseconds(1'777'593'600'120)))) == "1777593600.12");
  CHECK(written(timestamp(WallTime(milliseconds(1'777'593'600'007)))) == "1777593600.007");
  CHECK(written(timestamp(std::optional<WallTime>())) == "0");
  CHECK(written(keyherd::metrics::seconds(milliseconds(125))) == "0.125");
  CHECK(written(keyherd::metrics::seconds(std::chrono::minutes(5))) == "300");
}

TEST_CASE("Numbers keep every digit, and the ones that are none have Prometheus' names") {
  CHECK(written(std::numeric_limits<std::int64_t>::max()) == "9223372036854775807");
  CHECK(written(std::int64_t{-7}) == "-7");
  CHECK(written(0.7) == "0.7");
  CHECK(written(1.0 / 3) == "0.3333333333333333");
  CHECK(written(std::numeric_limits<double>::infinity()) == "+Inf");
  CHECK(written(-std::numeric_limits<double>::infinity()) == "-Inf");
  CHECK(written(std::numeric_limits<double>::quiet_NaN()) == "NaN");
}

TEST_CASE("Label values are escaped and valid UTF-8, whatever comes in") {
  CHECK(label("key", "deepseek-prod-1") == R"(key="deepseek-prod-1")");
  CHECK(label("key", "a\"b\\c") == R"(key="a\"b\\c")");
  CHECK(label("key", "a\nb") == R"(key="a b")");
  CHECK(label("key", "Zürich") == "key=\"Zürich\"");
  CHECK(label("key", "a\xff") == "key=\"a\xef\xbf\xbd\"");
  CHECK(label("key", std::string(5000, 'x')).size() < 300);
}

TEST_CASE("A histogram has its buckets, the infinite one, sum and count") {
  const std::string text = text_of([](TextWriter& out) {
    out.family("keyherd_probe_schedule_delay_seconds");
    out.histogram("a=\"b\"", {{0.5, 1}, {1, 4, 5}, 3.25});
    out.histogram("c=\"d\"", {});
    CHECK(out.series() == 5);
  });
  CHECK(text ==
        "# HELP keyherd_probe_schedule_delay_seconds Time from when a probe was to start to its "
        "start; to keep probes apart is no delay.\n"
        "# TYPE keyherd_probe_schedule_delay_seconds histogram\n"
        "keyherd_probe_schedule_delay_seconds_bucket{a=\"b\",le=\"0.5\"} 1\n"
        "keyherd_probe_schedule_delay_seconds_bucket{a=\"b\",le=\"1\"} 4\n"
        "keyherd_probe_schedule_delay_seconds_bucket{a=\"b\",le=\"+Inf\"} 5\n"
        "keyherd_probe_schedule_delay_seconds_sum{a=\"b\"} 3.25\n"
        "keyherd_probe_schedule_delay_seconds_count{a=\"b\"} 5\n");
}

TEST_CASE("What was taken is not written again, however long it was") {
  TextWriter out;
  out.family("keyherd_scrape_series");
  for (std::int64_t i = 0; i < 50'000; ++i)
    out.sample(label("key", std::to_string(i)), {}, i);
  out.append(std::string(1'000'000, '#') + "\n", 0);
  std::string text = "before\n";
  const std::size_t size = out.size();
  out.take(text);
  CHECK(text.size() == size + 7);
  CHECK(out.size() == 0);
  out.sample({}, {}, std::int64_t{7});
  out.take(text);
  CHECK(text.find("keyherd_scrape_series{key=\"49999\"} 49999\n####") != std::string::npos);
  CHECK(text.ends_with("#\nkeyherd_scrape_series 7\n"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 50'005);
}

TEST_CASE("A family that is not in the catalogue cannot be written") {
  text_of(
      [](TextWriter& out) { CHECK_THROWS_AS(out.family("keyherd_nonsense"), std::logic_error); });
}

}  // namespace
