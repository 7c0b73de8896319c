#include <catch2/catch.hpp>

#include "follower.hpp"
#include "support/memory_files.hpp"
#include "usage/offline.hpp"
#include "whole_log.hpp"

using namespace keyherd;
using namespace keyherd::usage;
using model::RejectReason;

namespace {

struct Read {
  model::UsageCounts sum;
  std::map<std::string, std::int64_t> requests;  // by key
  model::SourceCounts counts;
  std::vector<std::string> samples;

  [[nodiscard]] std::int64_t rejected(RejectReason reason) const {
    return counts.rejected[static_cast<std::size_t>(reason)];
  }
};

model::UsageLog own_mapping() {
  model::UsageLog log;
  log.id = "own";
  log.path = "/log";
  log.format = "";
  log.fields = {{"ts", "/t"}, {"key", "/k"}, {"input_tokens", "/in"}};
  return log;
}

Read read_lines(const model::UsageLog& log, const std::string& text) {
  test::MemoryFileSystem files;
  files.create("/log", text);
  const auto report = test::read_whole(files, log, *test::two_keys(), test::ManualClock().now());
  REQUIRE(report);
  Read read;
  for (const auto& row : report->usage) {
    read.sum.add(row.counts);
    read.requests[row.key] += row.counts.requests;
  }
  read.counts = report->counts;
  read.samples = report->samples;
  return read;
}

// A line with these members besides time and key.
std::string having(const std::string& members) {
  return R"({"t":"2026-05-01T00:00:00Z","k":"k1",)" + members + "}\n";
}

std::string problem_of(const model::UsageLog& log) {
  const auto checked = check_format(log);
  return checked ? "" : checked.error().message;
}

}  // namespace

TEST_CASE("of alternatives the first that is there counts, wherever it stands in the line") {
  model::UsageLog log = own_mapping();
  log.fields["input_tokens"] = "/a | /b/c | /d";
  CHECK(read_lines(log, having(R"("d":1,"b":{"c":2},"a":3)")).sum.input == 3);
  CHECK(read_lines(log, having(R"("d":1,"b":{"c":2},"a":null)")).sum.input == 2);
  CHECK(read_lines(log, having(R"("d":1,"b":{"c":""},"a":"-")")).sum.input == 1);
  CHECK(read_lines(log, having(R"("x":1)")).sum.input == 0);
}

TEST_CASE("sums take what is there, differences need both and must be positive") {
  model::UsageLog log = own_mapping();
  log.fields["input_tokens"] = "/a + /b + /c";
  log.fields["output_tokens"] = "/total - /a | /out";
  CHECK(read_lines(log, having(R"("a":1,"b":20,"c":300)")).sum.input == 321);
  CHECK(read_lines(log, having(R"("a":1,"b":null)")).sum.input == 1);
  CHECK(read_lines(log, having(R"("b":20)")).sum.input == 0);
  CHECK(read_lines(log, having(R"("total":10,"a":4,"out":1)")).sum.output == 6);
  CHECK(read_lines(log, having(R"("total":4,"a":4,"out":1)")).sum.output == 1);
  CHECK(read_lines(log, having(R"("total":3,"a":4,"out":1)")).sum.output == 1);
  CHECK(read_lines(log, having(R"("a":4,"out":1)")).sum.output == 1);
  CHECK(read_lines(log, having(R"("a":1,"b":-2)")).rejected(RejectReason::bad_value) == 1);
}

TEST_CASE("counts may be text or whole decimals, and nothing else") {
  const model::UsageLog log = own_mapping();
  for (const std::string good : {"98", "\"98\"", "98.0", "\"98.000\""}) {
    INFO(good);
    CHECK(read_lines(log, having("\"in\":" + good)).sum.input == 98);
  }
  for (const std::string bad : {"-1", "1.5", "1e3", "\"x\"", "{}", "[1]", "true", "\".5\"",
                                "9223372036854775808", "99999999999999999999"}) {
    INFO(bad);
    const Read read = read_lines(log, having("\"in\":" + bad));
    CHECK(read.rejected(RejectReason::bad_value) == 1);
    CHECK(read.samples.front().starts_with("bad_value: input_tokens"));
  }
}

TEST_CASE("times are read in the unit that is said, to the nanosecond") {
  const auto bucket = [](const std::string& unit, const std::string& value) {
    model::UsageLog log = own_mapping();
    log.units["ts"] = unit;
    test::MemoryFileSystem files;
    files.create("/log", R"({"k":"k1","t":)" + value + "}\n");
    const Instant now{*parse_rfc3339("2026-12-01T00:00:00Z"), SteadyTime()};
    const auto report = test::read_whole(files, log, *test::two_keys(), now);
    REQUIRE(report);
    return report->usage.empty() ? ""
                                 : format_rfc3339(model::bucket_start(report->usage[0].bucket));
  };
  const std::string quarter = "2026-11-22T10:15:00Z";
  CHECK(bucket("s", "1795342530") == quarter);
  CHECK(bucket("s", "1795342530.125") == quarter);
  CHECK(bucket("s", "\"1795342530.125\"") == quarter);
  CHECK(bucket("s", "1.795342530e9") == quarter);
  CHECK(bucket("ms", "1795342530123") == quarter);
  CHECK(bucket("us", "\"1795342530123456\"") == quarter);
  CHECK(bucket("ns", "\"1795342530123456789\"") == quarter);
  CHECK(bucket("s", "\"2026-11-22T10:15:30\"") == quarter);  // text is always understood
  CHECK(bucket("utc", "\"2026-11-22 10:15:30.5\"") == quarter);
  CHECK(bucket("utc", "\"2026-11-22T11:15:30+01:00\"") == quarter);
  // The last nanosecond before a quarter belongs to the one before.
  CHECK(bucket("ns", "1795342499999999999") == "2026-11-22T10:00:00Z");
  CHECK(bucket("s", "1795342499.999999999") == "2026-11-22T10:00:00Z");
  for (const auto& [unit, value] : {std::pair{"rfc3339", "\"2026-11-22T10:15:30\""},
                                    {"rfc3339", "1795342530"},
                                    {"utc", "1795342530"},
                                    {"s", "-5"},
                                    {"s", "true"},
                                    {"s", "{}"},
                                    {"utc", "\"2026-02-30\""}}) {
    INFO(unit << " " << value);
    CHECK(bucket(unit, value).empty());
  }
}

TEST_CASE("latency and cost are brought to milliseconds and USD") {
  model::UsageLog log = own_mapping();
  log.fields["latency_ms"] = "/l";
  log.fields["cost_usd"] = "/c";
  const auto latency = [&](const std::string& unit, const std::string& value) {
    log.units["latency_ms"] = unit;
    return read_lines(log, having("\"l\":" + value)).sum.latency_ms;
  };
  CHECK(latency("ms", "842.6") == 843);
  CHECK(latency("s", "0.842") == 842);
  CHECK(latency("s", "\"0.8425\"") == 843);
  CHECK(latency("us", "1500") == 2);
  CHECK(latency("ns", "842000000") == 842);
  const auto cost = [&](const std::string& unit, const std::string& value) {
    log.units["cost_usd"] = unit;
    return read_lines(log, having("\"c\":" + value)).sum.cost;
  };
  CHECK(cost("usd", "0.000132") == 132'000);
  CHECK(cost("cent", "\"0.00936\"") == 93'600);
  CHECK(cost("micro_usd", "74.4") == 74'400);
  CHECK(cost("newapi_quota", "47") == 94'000);
}

TEST_CASE("the latency is from start to end where none is logged") {
  model::UsageLog log = own_mapping();
  log.fields["started_at"] = "/s";
  log.fields["latency_ms"] = "/l";
  CHECK(read_lines(log, having(R"("s":"2026-04-30T23:59:58.5Z")")).sum.latency_ms == 1500);
  CHECK(read_lines(log, having(R"("s":"2026-04-30T23:59:58.5Z","l":7)")).sum.latency_ms == 7);
  CHECK(read_lines(log, having(R"("s":"2026-05-01T00:00:01Z")")).sum.latency_count == 0);
}

TEST_CASE("statuses may be words, and the first that is understood counts") {
  model::UsageLog log = own_mapping();
  log.fields["status"] = "/code | /class | /state";
  log.status_words = {{"ok", 200}, {"failed", 500}, {"*RateLimitError", 429}, {"1", 201}};
  const auto failed = [&](const std::string& members) {
    return read_lines(log, having(members)).sum.failed;
  };
  CHECK(failed(R"("state":"OK")") == 0);
  CHECK(failed(R"("state":"failed")") == 1);
  CHECK(failed(R"("code":"","class":"openai.RateLimitError","state":"ok")") == 1);
  CHECK(failed(R"("code":"429","state":"ok")") == 1);
  CHECK(failed(R"("code":200,"state":"failed")") == 0);
  CHECK(failed(R"("code":1)") == 0);
  CHECK(failed(R"("class":"Unheard","state":"failed")") == 1);
  CHECK(failed(R"("x":0)") == 0);
  CHECK(read_lines(log, having(R"("state":"unheard")")).rejected(RejectReason::bad_value) == 1);
  CHECK(read_lines(log, having(R"("code":1000)")).rejected(RejectReason::bad_value) == 1);
}

TEST_CASE("lines that are no request are skipped, not rejected") {
  model::UsageLog log = own_mapping();
  log.only = {{"/type | /kind", "llm | *.doGenerate"}};
  const Read read = read_lines(
      log, having(R"("type":"LLM")") + having(R"("type":"chain")") + having(R"("in":5)") +
               having(R"("kind":"ai.generateText.doGenerate")") + "{\"type\":\"tool\"}\n");
  CHECK(read.sum.requests == 2);
  CHECK(read.counts.records == 2);
  CHECK(read.counts.skipped == 3);
  CHECK(read.samples.empty());
}

TEST_CASE("a key goes by the log's own names, by its whole hash, or by the first known name") {
  model::UsageLog log = own_mapping();
  log.fields["key"] = "/hash | /alias | /id";
  log.key_names = {{"team-a", "k1"}, {"7", "k2"}};
  // The offline reader takes unknown keys too, so what is known shows only by what comes first.
  const std::string hash = "0123456789ab" + std::string(52, 'c');
  const auto key_of = [&](const std::string& members) {
    const Read read = read_lines(log, R"({"t":"2026-05-01T00:00:00Z",)" + members + "}\n");
    return read.requests.empty() ? "" : read.requests.begin()->first;
  };
  CHECK(key_of("\"hash\":\"" + hash + "\"") == "k2");
  CHECK(key_of("\"hash\":\"sha256:" + hash + "\"") == "k2");
  CHECK(key_of(R"("hash":"unheard","alias":"team-a")") == "k1");
  CHECK(key_of(R"("hash":"unheard","id":7)") == "k2");
  CHECK(key_of(R"("hash":"","alias":"k1")") == "k1");
  CHECK(key_of(R"("alias":"unheard","id":"unheard too")") == "unheard");
  CHECK(
      read_lines(log, "{\"t\":\"2026-05-01T00:00:00Z\"}\n").rejected(RejectReason::missing_field) ==
      1);
}

TEST_CASE("own fields may replace those of a preset") {
  model::UsageLog log;
  log.id = "proxy";
  log.path = "/log";
  log.format = "nginx_json";
  log.fields = {{"key", "/consumer"}};
  log.key_names = {{"shop", "k2"}};
  const Read read = read_lines(
      log, R"({"msec":"1777593600.5","status":"200","request_time":"0.2","consumer":"shop"})"
           "\n");
  CHECK(read.requests == std::map<std::string, std::int64_t>{{"k2", 1}});
  CHECK(read.sum.latency_ms == 200);
  // The native format with names of one's own.
  log.format = "keyherd";
  log.fields.clear();
  CHECK(read_lines(log, test::line(5, "shop")).requests.begin()->first == "k2");
}

TEST_CASE("escapes in values are undone, and a bad line costs itself alone") {
  model::UsageLog log = own_mapping();
  log.fields["model"] = "/m";
  const std::string good = having(R"("in":1,"m":"a\"b\u00e9")");
  std::string text;
  for (int i = 0; i < 50; ++i)
    text += good;
  text += "{\"t\":\"2026-05-01T00:00:00Z\",\"k\":\"k1\",\"in\":7\n";
  text += "{\"t\":\"2026-05-01T00:00:00Z\",\"k\":\"\xff\",\"in\":7}\n";
  for (int i = 0; i < 50; ++i)
    text += good;
  const Read read = read_lines(log, text);
  CHECK(read.sum.input == 100);
  CHECK(read.rejected(RejectReason::bad_json) == 2);
}

TEST_CASE("many spans stand on one line, and a line that ends amid them counts none of them") {
  const auto span = [](int tokens, const std::string& key) {
    return R"({"endTimeUnixNano":"1777593600000000000","attributes":[)"
           R"({"value":{"stringValue":"m"},"key":"gen_ai.request.model"},)"
           R"({"key":"gen_ai.usage.input_tokens","value":{"intValue":")" +
           std::to_string(tokens) + R"("}},{"key":"keyherd.key","value":{"stringValue":")" + key +
           R"("}}]})";
  };
  const auto line = [&](const std::string& spans) {
    return R"({"resourceSpans":[{"scopeSpans":[{"spans":[)" + spans + "]},{\"spans\":[]}]}]}\n";
  };
  model::UsageLog log;
  log.id = "otel";
  log.path = "/log";
  log.format = "otlp_json";
  const std::string two = span(1, "k1") + "," + span(20, "k2");
  std::string cut = line(two);
  cut.replace(cut.size() - 6, 6, "\n");
  const Read read = read_lines(log, line(two) + cut + line(span(300, "k1") + "," + span(5, "")));
  CHECK(read.sum.input == 321);
  CHECK(read.sum.requests == 3);
  CHECK(read.rejected(RejectReason::bad_json) == 1);
  CHECK(read.rejected(RejectReason::missing_field) == 1);
}

TEST_CASE("a mapping that cannot work is refused with its place") {
  model::UsageLog log = own_mapping();
  log.fields.erase("key");
  CHECK(problem_of(log) == "fields: \"key\" is required");
  log.fields["key"] = "k";
  CHECK(problem_of(log) == "fields.key: a JSON Pointer starts with '/'");
  log.fields["key"] = "/a | /k~2";
  CHECK(problem_of(log) ==
        "fields.key: in a JSON Pointer '~' is written '~0' and '/' inside a name '~1'");
  log.fields["key"] = "/a + /b";
  CHECK(problem_of(log) == "fields.key: only tokens, latency and cost may be sums");
  log = own_mapping();
  log.fields["tokens"] = "/x";
  CHECK(problem_of(log) == "fields: unknown field \"tokens\"");
  log = own_mapping();
  log.units["ts"] = "minutes";
  CHECK(problem_of(log) ==
        "fields.ts: unknown unit \"minutes\"; known: rfc3339, utc, s, ms, us, ns");
  log.units = {{"input_tokens", "s"}};
  CHECK(problem_of(log) == "fields.input_tokens: this field has no unit");
  log.units = {{"latency_ms", "s"}};
  CHECK(problem_of(log) == "units: there is no field \"latency_ms\"");
  log.units.clear();
  log.only = {{"type", "llm"}};
  CHECK(problem_of(log) == "only.type: a JSON Pointer starts with '/'");
  log = own_mapping();
  log.format = "nonsense";
  CHECK(problem_of(log) == "unknown format \"nonsense\"; use a preset, \"keyherd\" or `fields`");
}
