#include <catch2/catch.hpp>

#include <functional>

#include "base/random.hpp"
#include "follower.hpp"
#include "usage/accumulator.hpp"
#include "usage/record_parser.hpp"

using namespace keyherd;
using namespace keyherd::usage;
using keyherd::test::line;
using model::RejectReason;

namespace {

constexpr std::size_t kCap = 1U << 20U;

struct Parsed {
  model::Tally tally;
  [[nodiscard]] std::int64_t rejected(RejectReason reason) const {
    return tally.counts.rejected[static_cast<std::size_t>(reason)];
  }
  [[nodiscard]] std::int64_t rejected() const {
    std::int64_t sum = 0;
    for (const auto each : tally.counts.rejected)
      sum += each;
    return sum;
  }
  [[nodiscard]] model::UsageCounts sum() const {
    model::UsageCounts sum;
    for (const auto& row : tally.usage)
      sum.add(row.counts);
    return sum;
  }
};

Parsed parse(const std::string& text, std::size_t cap = kCap,
             const Format& format = Format::native()) {
  Names names(UnknownKeys::reject);
  names.set_context(test::two_keys());
  Accumulator sums(names);
  sums.set_now(test::ManualClock().now().wall);
  RecordParser parser;
  std::string padded = text + std::string(RecordParser::kPadding, '{');
  parser.parse({padded.data(), text.size()}, 0, format, cap, sums);
  Parsed parsed;
  sums.take(parsed.tally);
  return parsed;
}

// A line with this member besides the required ones.
std::string with(const std::string& member) {
  return R"({"ts":"2026-05-01T00:00:00Z","key":"k1",)" + member + "}\n";
}
RejectReason reason_of(const std::string& text) {
  const Parsed parsed = parse(text);
  REQUIRE(parsed.rejected() == 1);
  CHECK(parsed.tally.counts.records == 0);
  for (std::size_t i = 0; i < model::kRejectReasonCount; ++i) {
    if (parsed.tally.counts.rejected[i] == 1)
      return static_cast<RejectReason>(i);
  }
  return RejectReason::clock;
}

}  // namespace

TEST_CASE("every native field is read") {
  const Parsed parsed = parse(
      R"({"ts":"2026-04-30T23:50:00.5Z","key":"sha256:0123456789ab","provider":"x","model":"m",)"
      R"("input_tokens":1000,"cached_input_tokens":200,"cache_write_tokens":100,)"
      R"("output_tokens":50,)"
      R"("reasoning_tokens":7,"status":200,"latency_ms":812,"request_id":"r","cost_usd":0.000132})"
      "\n");
  REQUIRE(parsed.tally.usage.size() == 1);
  const model::UsageRow& row = parsed.tally.usage.front();
  CHECK(row.key == "k2");
  CHECK(row.model == "m");
  CHECK(row.bucket == model::bucket_of(*parse_rfc3339("2026-04-30T23:45:00Z")));
  const model::UsageCounts expected{1, 0, 1000, 200, 100, 50, 7, 132'000, 0, 812, 1, 1'120'000};
  CHECK(row.counts == expected);
  REQUIRE(parsed.tally.minutes.size() == 1);
  CHECK(parsed.tally.minutes.front().minute ==
        model::minute_of(*parse_rfc3339("2026-04-30T23:50:00Z")));
  CHECK(parsed.tally.minutes.front().counts == expected);
  REQUIRE(parsed.tally.successes.size() == 1);
  CHECK(parsed.tally.successes.front().last_at == *parse_rfc3339("2026-04-30T23:50:00.5Z"));
}

TEST_CASE("fields may stand in any order, with any spacing, and change between lines") {
  const std::string text =
      line(1) +
      R"(  { "output_tokens" : 5 , "model" : "m" , "x" : {"ts":[1,{"key":2}]} , )"
      R"("input_tokens" : 10 , "key" : "k1" , "ts" : "2026-05-01T00:00:00Z" }  )"
      "\r\n" +
      line(100) + R"({"key":"k1","ts":"2026-05-01T00:00:00Z","input_tokens":1000})" + "\n";
  const Parsed parsed = parse(text);
  CHECK(parsed.rejected() == 0);
  CHECK(parsed.sum().input == 1111);
  CHECK(parsed.tally.usage.size() == 2);  // the last is of model "unknown"
  CHECK(parsed.tally.usage.back().model == "unknown");
}

TEST_CASE("null is absent, an absent status is success, the last of equal names counts") {
  CHECK(parse(with(R"("model":null,"status":null,"cost_usd":null,"latency_ms":null)")).sum() ==
        model::UsageCounts{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(parse(with(R"("input_tokens":5,"input_tokens":7)")).sum().input == 7);
  CHECK(reason_of(R"({"ts":"2026-05-01T00:00:00Z","key":null})"
                  "\n") == RejectReason::missing_field);
}

TEST_CASE("escapes in values are undone") {
  const Parsed parsed =
      parse(R"({"ts":"2026-05-01T00:00:00\u005a","key":"k\u0031","model":"m\"\u00e9"})"
            "\n");
  REQUIRE(parsed.tally.usage.size() == 1);
  CHECK(parsed.tally.usage.front().key == "k1");
  CHECK(parsed.tally.usage.front().model == "m\"é");
}

TEST_CASE("numbers that cannot be token counts are bad values") {
  for (const std::string value :
       {"-5", "1.9", "1e3", "9223372036854775808", "18446744073709551616", "1e30", "NaN", "\"12\"",
        "true", "[1]", "{}", "007", "-0", "1_0"}) {
    CAPTURE(value);
    CHECK(reason_of(with("\"input_tokens\":" + value)) == RejectReason::bad_value);
    CHECK(reason_of(with("\"status\":" + value)) == RejectReason::bad_value);
  }
  CHECK(reason_of(with("\"status\":1000")) == RejectReason::bad_value);
  CHECK(parse(with("\"input_tokens\":9223372036854775807")).sum().input ==
        std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("sums saturate instead of wrapping") {
  const std::string huge = with("\"input_tokens\":9223372036854775807");
  CHECK(parse(huge + huge).sum().input == std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("cost is exact from its digits, as number or string; latency may be fractional") {
  CHECK(parse(with("\"cost_usd\":0.000000001")).sum().cost == 1);
  CHECK(parse(with("\"cost_usd\":\"1.5e-4\"")).sum().cost == 150'000);
  CHECK(parse(with("\"cost_usd\":9007199.254740993")).sum().cost == 9'007'199'254'740'993);
  for (const std::string value : {"-1", "\"x\"", "\"\"", "1e400", "[]", "true", "99999999999"}) {
    CAPTURE(value);
    CHECK(reason_of(with("\"cost_usd\":" + value)) == RejectReason::bad_value);
  }
  CHECK(parse(with("\"latency_ms\":842.6")).sum().latency_ms == 843);
  CHECK(reason_of(with("\"latency_ms\":-1")) == RejectReason::bad_value);
  CHECK(reason_of(with("\"latency_ms\":1e400")) == RejectReason::bad_value);
}

TEST_CASE("a line without time or key, or of an unknown key, is rejected with its reason") {
  CHECK(reason_of("{\"key\":\"k1\"}\n") == RejectReason::missing_field);
  CHECK(reason_of("{\"ts\":\"2026-05-01T00:00:00Z\"}\n") == RejectReason::missing_field);
  CHECK(reason_of("{}\n") == RejectReason::missing_field);
  CHECK(reason_of(line(1, "stranger")) == RejectReason::unknown_key);
  CHECK(reason_of(line(1, "")) == RejectReason::bad_value);
  CHECK(reason_of(line(1, "k1 ")) == RejectReason::unknown_key);
  for (const std::string ts :
       {"\"2026-02-30T00:00:00Z\"", "\"2026-05-01T00:00:00\"", "1777593600", "\"\""}) {
    CAPTURE(ts);
    CHECK(reason_of("{\"key\":\"k1\",\"ts\":" + ts + "}\n") == RejectReason::bad_value);
  }
}

TEST_CASE("what is not one JSON object on one line is bad JSON") {
  const std::string deep(100'000, '[');
  const std::vector<std::string> bad{"nonsense",
                                     "[1]",
                                     "1",
                                     "\"x\"",
                                     "null",
                                     "{\"a\":1}{\"a\":2}",
                                     line(1).substr(0, 40),
                                     "{\"a\":1} x",
                                     "{\"a\" 1}",
                                     "{\"a\":1,}",
                                     "{,}",
                                     "{\"a\":1 \"b\":2}",
                                     deep,
                                     "{\"a\":" + deep,
                                     "{\"a\":{\"b\":1}",
                                     "{\"a\":[1,2}",
                                     "\xFF\xFE",
                                     "{\"a\":\"\xC0\xAF\"}",
                                     "{\"a\":\"\x80\"}",
                                     std::string("{\"a\":\"\0\"}", 9),
                                     std::string("{\"a\":1,\0\"b\":2}", 14),
                                     "{\"a\":\"\x01\"}",
                                     "}",
                                     "{",
                                     "\"",
                                     "{\"ts\"",
                                     "{\"ts\":",
                                     "{\"ts\":}",
                                     "{1:2}"};
  for (const std::string& text : bad) {
    CAPTURE(text.substr(0, 60));
    const Parsed alone = parse(text + "\n");
    CHECK(alone.rejected(RejectReason::bad_json) == 1);
    CHECK(alone.rejected() == 1);
    // Among good lines it costs itself alone.
    const Parsed among = parse(line(1) + line(20) + text + "\n" + line(300) + line(4000));
    CHECK(among.rejected(RejectReason::bad_json) == 1);
    CHECK(among.rejected() == 1);
    CHECK(among.tally.counts.records == 4);
    CHECK(among.sum().input == 4321);
  }
}

TEST_CASE("an object over several lines is as many bad lines") {
  const Parsed parsed =
      parse(line(1) + "{\"ts\":\"2026-05-01T00:00:00Z\",\n\"key\":\"k1\"\n}\n" + line(2));
  CHECK(parsed.rejected(RejectReason::bad_json) == 3);
  CHECK(parsed.sum().input == 3);
  const Parsed nested = parse("{\"x\":[{}\n]}\n" + line(2));
  CHECK(nested.rejected(RejectReason::bad_json) == 2);
  CHECK(nested.sum().input == 2);
}

TEST_CASE("lone surrogates and bad escapes are bad values of a field, ignored elsewhere") {
  CHECK(reason_of(with(R"("model":"\ud800")")) == RejectReason::bad_value);
  CHECK(reason_of(with(R"("model":"\q")")) == RejectReason::bad_value);
  CHECK(parse(with(R"("note":"\ud800")")).tally.counts.records == 1);
}

TEST_CASE("blank lines, carriage returns, a byte order mark and leading NULs are ignored") {
  const Parsed parsed =
      parse("\xEF\xBB\xBF" + line(1) + "\n\r\n  \t\n" + std::string(100, '\0') + line(2) +
            std::string(10, '\0') + "\n" + line(3).substr(0, line(3).size() - 1) + "\r\n");
  CHECK(parsed.rejected() == 0);
  CHECK(parsed.sum().input == 6);
}

TEST_CASE("a bad line in the middle of a large block loses no good line") {
  std::string text;
  for (int n = 1; n <= 20'000; ++n) {
    text += line(n);
    if (n % 4'999 == 0)
      text += "{\"torn\":\n";
  }
  const Parsed parsed = parse(text);
  CHECK(parsed.tally.counts.records == 20'000);
  CHECK(parsed.sum().input == test::sum_of(1, 20'000));
  CHECK(parsed.rejected(RejectReason::bad_json) == 4);
  CHECK(parsed.rejected() == 4);
}

TEST_CASE("lines over the cap are too long, lines at the cap are not") {
  const std::string at_cap = line(1);
  const std::size_t cap = at_cap.size() - 1;
  const Parsed parsed = parse(at_cap + line(11) + line(2), cap);
  CHECK(parsed.rejected(RejectReason::too_long) == 1);
  CHECK(parsed.sum().input == 3);
}

TEST_CASE("samples name reason, field and place but never a value") {
  const Parsed parsed =
      parse(line(1) + with(R"("model":"sk-CANARY","input_tokens":"sk-CANARY")") +
            R"({"key":"sk-CANARY-KEY","ts":"2026-05-01T00:00:00Z"})" + "\nsk-CANARY\n");
  REQUIRE(parsed.tally.samples.size() == 3);
  CHECK(parsed.tally.samples[0] ==
        "bad_value: input_tokens at byte " + std::to_string(line(1).size()));
  for (const std::string& sample : parsed.tally.samples)
    CHECK(sample.find("CANARY") == std::string::npos);
  CHECK(parse(std::string(200, '\n') + "x\nx\nx\nx\nx\nx\nx\nx\n").tally.samples.size() == 5);
}

TEST_CASE("an own mapping reaches into objects and arrays") {
  model::UsageLog log;
  log.format = "";
  log.fields = {{"ts", "/at"},
                {"key", "/meta/key"},
                {"model", "/choices/1/model"},
                {"input_tokens", "/usage/prompt_tokens"},
                {"output_tokens", "/usage/completion_tokens"}};
  const auto format = Format::of(log);
  REQUIRE(format);
  const std::string good =
      R"({"usage":{"prompt_tokens":10,"x":{"y":[]},"completion_tokens":3},"choices":[)"
      R"({"model":"no"},)"
      R"({"model":"m","z":1},{"model":"no"}],"key":"ignored","meta":{"key":"k2"},)"
      R"("at":"2026-05-01T00:00:00Z"})"
      "\n";
  const Parsed parsed =
      parse(good + R"({"at":"2026-05-01T00:00:00Z","meta":"k2","usage":[]})" + "\n" + good, kCap,
            *format);
  REQUIRE(parsed.tally.usage.size() == 1);
  CHECK(parsed.tally.usage.front().key == "k2");
  CHECK(parsed.tally.usage.front().model == "m");
  CHECK(parsed.tally.usage.front().counts.input == 20);
  CHECK(parsed.tally.usage.front().counts.output == 6);
  CHECK(parsed.rejected(RejectReason::missing_field) == 1);
  CHECK(parse("{\"meta\":{\"key\":\"k2\"\n", kCap, *format).rejected(RejectReason::bad_json) == 1);
}

TEST_CASE("random bytes are rejected or counted, never more") {
  SeededRandom random(7);
  for (int round = 0; round < 300; ++round) {
    std::string text = line(1) + line(2) + line(3);
    for (int i = 0; i < 4; ++i)
      text[random.next() % (text.size() - 1)] = static_cast<char>(random.next());
    const Parsed parsed = parse(line(7) + text + line(70));
    CHECK(parsed.tally.counts.records >= 2);
    CHECK(parsed.tally.counts.records + parsed.rejected() >= 2);
    CHECK(parsed.sum().requests == parsed.tally.counts.records);
  }
}
