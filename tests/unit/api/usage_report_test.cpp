#include "api/usage_report.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/time_text.hpp"

using namespace keyherd;
using namespace keyherd::api;

namespace {

// Without REQUIRE: rows below are made before any test runs.
WallTime at(const std::string& text) {
  return parse_rfc3339(text).value();
}

model::UsageRow used(const char* key, const char* model, const std::string& time,
                     std::int64_t input) {
  model::UsageRow row{key, model, model::bucket_of(at(time)), {}};
  row.counts.requests = 1;
  row.counts.input = input;
  row.counts.cost = input * 1'500'000;
  return row;
}

std::optional<KeyFacts> facts_of(const std::string& key) {
  if (key == "a")
    return KeyFacts{"deepseek", "acct-1", {"batch", "prod"}, {{"team", "search"}}};
  if (key == "b")
    return KeyFacts{"openai", "b", {"prod"}, {{"team", "ads"}, {"env", "eu"}}};
  return std::nullopt;
}

UsageQuestion question(const std::string& by, const std::string& zone = "UTC") {
  UsageQuestion asked;
  asked.by = *parse_usage_terms(by);
  asked.timezone = zone;
  return asked;
}

// "a/m=3" for each line: its values and its input tokens.
std::string answer(const UsageQuestion& asked, const std::vector<model::UsageRow>& rows) {
  UsageReport report(asked, facts_of);
  for (const auto& row : rows)
    REQUIRE(report.add(row));
  std::string text;
  for (const UsageLine& line : report.lines()) {
    for (const std::string& value : line.values)
      text += (value.empty() ? "-" : value) + "/";
    text.back() = '=';
    text += std::to_string(line.counts.input) + " ";
  }
  return text;
}

const std::vector<model::UsageRow> kRows{
    used("a", "m", "2026-05-01T15:45:00Z", 1), used("a", "m", "2026-05-01T16:00:00Z", 2),
    used("b", "m", "2026-05-31T23:45:00Z", 4), used("b", "n", "2026-06-01T00:00:00Z", 8),
    used("gone", "m", "2026-05-01T00:00:00Z", 16)};

}  // namespace

TEST_CASE("usage is summed by any column, and a key that is gone has only its id") {
  CHECK(answer(question("key"), kRows) == "a=3 b=12 gone=16 ");
  CHECK(answer(question("model,key"), kRows) == "m/a=3 m/b=4 m/gone=16 n/b=8 ");
  CHECK(answer(question("provider"), kRows) == "-=16 deepseek=3 openai=12 ");
  CHECK(answer(question("group"), kRows) == "-=16 acct-1=3 b=12 ");
  CHECK(answer(question("label.team"), kRows) == "-=16 ads=12 search=3 ");
  CHECK(answer(question("label.env"), kRows) == "-=19 eu=12 ");
  CHECK(answer(question("month"), kRows) == "2026-05=23 2026-06=8 ");
  CHECK(answer(question("day,key"), kRows) ==
        "2026-05-01/a=3 2026-05-01/gone=16 2026-05-31/b=4 2026-06-01/b=8 ");
}

TEST_CASE("a key in two pools stands in one line, so that the lines' sum is the sum") {
  CHECK(answer(question("pool"), kRows) == "-=16 batch+prod=3 prod=12 ");
  UsageQuestion asked = question("key");
  asked.where = {*parse_usage_filter("pool", "prod")};
  CHECK(answer(asked, kRows) == "a=3 b=12 ");
  asked.where = {*parse_usage_filter("pool", "batch")};
  CHECK(answer(asked, kRows) == "a=3 ");
}

TEST_CASE("filters choose rows by values that need not be shown, all of them must fit") {
  UsageQuestion asked = question("month");
  asked.where = {*parse_usage_filter("label.team", "search, ads"),
                 *parse_usage_filter("model", "n")};
  CHECK(answer(asked, kRows) == "2026-06=8 ");
  asked.where = {*parse_usage_filter("key", "gone")};
  CHECK(answer(asked, kRows) == "2026-05=16 ");
  asked.where = {*parse_usage_filter("provider", "nobody")};
  CHECK(answer(asked, kRows).empty());
}

TEST_CASE("days and hours are those of the named zone") {
  CHECK(answer(question("day", "Asia/Singapore"), kRows) ==
        "2026-05-01=17 2026-05-02=2 2026-06-01=12 ");
  CHECK(answer(question("month", "America/New_York"), kRows) == "2026-04=16 2026-05=15 ");
  CHECK(answer(question("hour"), {kRows[0]}) == "2026-05-01T15:00:00Z=1 ");
  CHECK(answer(question("hour", "Asia/Kolkata"), {kRows[0]}) == "2026-05-01T21:00:00+05:30=1 ");
}

TEST_CASE("the hour that comes twice is two lines, in the order of time") {
  // Berlin, 2026-10-25: 02:00+02:00 and then 02:00+01:00.
  CHECK(answer(question("hour", "Europe/Berlin"), {used("a", "m", "2026-10-25T01:15:00Z", 2),
                                                   used("a", "m", "2026-10-25T00:15:00Z", 1)}) ==
        "2026-10-25T02:00:00+02:00=1 2026-10-25T02:00:00+01:00=2 ");
}

TEST_CASE("from is whole quarters, to is exclusive, rows come in any order") {
  UsageQuestion asked = question("key");
  asked.from = at("2026-05-01T15:50:00Z");
  asked.to = at("2026-06-01T00:00:00Z");
  CHECK(answer(asked, {kRows[3], kRows[0], kRows[2], kRows[1], kRows[4], kRows[0]}) == "a=4 b=4 ");
}

TEST_CASE("an answer that would be too long says so, and how to narrow it") {
  UsageReport report(question("key,model,day"), facts_of, 3);
  for (const std::size_t row : {0U, 1U, 2U, 3U, 0U})  // three lines
    REQUIRE(report.add(kRows[row]));
  const Status full = report.add(kRows[4]);
  REQUIRE_FALSE(full);
  CHECK(full.error().code == ErrorCode::too_large);
  CHECK(full.error().message.find("narrow") != std::string::npos);
}

TEST_CASE("JSON and CSV have every digit of the money and quote what needs it") {
  model::UsageRow row = used("a \"q\", é", "m", "2026-05-01T00:00:00Z", 5);
  row.counts.cost = 9'007'199'254'740'993;  // beyond what a double can tell apart
  row.counts.table_cost = 4'500;
  row.counts.failed = 2;
  UsageReport report(question("key,day"), facts_of);
  REQUIRE(report.add(row));
  const auto by = question("key,day").by;
  const std::string text = usage_json(report.lines(), by);
  CHECK(text.find("\"cost_usd\":9007199.254740993,") != std::string::npos);
  const auto value = parse_json(text);
  REQUIRE(value);
  CHECK((*value)[0]["key"] == row.key);
  CHECK((*value)[0]["day"] == "2026-05-01");
  CHECK((*value)[0]["input_tokens"] == 5);
  CHECK((*value)[0]["failed_requests"] == 2);
  CHECK(usage_json({}, by) == "[]");
  CHECK(usage_csv(report.lines(), by) ==
        "key,day,requests,failed_requests,input_tokens,cached_input_tokens,cache_write_tokens,"
        "output_tokens,reasoning_tokens,unpriced_requests,cost_usd,table_cost_usd\n"
        "\"a \"\"q\"\", é\",2026-05-01,1,2,5,0,0,0,0,0,9007199.254740993,0.0000045\n");
}

TEST_CASE("columns that are not there are refused with those that are") {
  for (const char* bad : {"colour", "key,,day", "", "label.", "key,day,key"}) {
    const auto terms = parse_usage_terms(bad);
    INFO(bad);
    REQUIRE_FALSE(terms);
    CHECK(terms.error().code == ErrorCode::invalid);
  }
  CHECK(parse_usage_terms("colour").error().message.find("'colour'; use key, provider") !=
        std::string::npos);
  CHECK_FALSE(parse_usage_filter("day", "2026-05-01"));
}

TEST_CASE("a time may be a date, a month, an instant, or so long ago") {
  const WallTime now = at("2026-05-10T12:00:00Z");
  const auto parsed = [&](const char* text, const char* zone) {
    const auto time = parse_usage_time(text, zone, now);
    return time ? format_rfc3339(*time) : time.error().message;
  };
  CHECK(parsed("2026-05-01", "UTC") == "2026-05-01T00:00:00Z");
  CHECK(parsed("2026-05-01", "Asia/Singapore") == "2026-04-30T16:00:00Z");
  CHECK(parsed("2026-05-01", "Pacific/Kiritimati") == "2026-04-30T10:00:00Z");
  CHECK(parsed("2026-05-01", "Pacific/Pago_Pago") == "2026-05-01T11:00:00Z");
  CHECK(parsed("2026-05", "America/New_York") == "2026-05-01T04:00:00Z");
  CHECK(parsed("7d", "UTC") == "2026-05-03T12:00:00Z");
  CHECK(parsed("2026-05-01T10:00:00+02:00", "UTC") == "2026-05-01T08:00:00Z");
  CHECK(parsed("2011-12-30", "Pacific/Apia").find("there is no") == 0);  // they skipped it
  CHECK(parsed("yesterday", "UTC").find("is not a time") != std::string::npos);
  CHECK(parsed("2026-13-01", "UTC").find("2026-13-01") != std::string::npos);
}
