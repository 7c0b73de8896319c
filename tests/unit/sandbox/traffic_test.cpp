#include "sandbox/traffic.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "support/manual_clock.hpp"
#include "support/memory_files.hpp"
#include "support/scripted_transport.hpp"
#include "support/temp_dir.hpp"

using namespace keyherd;
using nlohmann::json;

namespace {

struct TrafficBench {
  test::TempDir dir;
  test::MemoryFileSystem files;
  test::ScriptedTransport transport;
  test::ManualClock clock;
  SeededRandom random{1};
  sandbox::TrafficOptions options;

  TrafficBench() {
    options.log_path = dir / "usage.jsonl";
    options.clients = {{"/pool.json", "http://h/alpha", "m"}};
    files.create("/pool.json", R"({"pool":"prod","key":"k-1","secret":"sk-play-1"})");
  }
  std::string log(const std::string& name = "usage.jsonl") const {
    return make_posix_file_system()->read(dir / name, 1 << 20).value_or("");
  }
};

}  // namespace

TEST_CASE("a call with the published key becomes a native log line", "[sandbox]") {
  TrafficBench bench;
  sandbox::Traffic traffic(bench.options, bench.transport, bench.files, bench.clock, bench.random);
  bench.transport.push(200, R"({"usage":{"prompt_tokens":90,"completion_tokens":7,)"
                            R"("prompt_cache_hit_tokens":40}})");
  REQUIRE(traffic.step({}));
  CHECK(bench.transport.requests().at(0).url == "http://h/alpha/chat/completions");
  CHECK(bench.transport.requests().at(0).secret == "sk-play-1");
  const std::string text = bench.log();
  CHECK(text.back() == '\n');
  const json line = json::parse(text);
  CHECK(line["ts"] == "2026-05-01T00:00:00Z");
  CHECK(line["key"] == "k-1");
  CHECK(line["model"] == "m");
  CHECK(line["status"] == 200);
  CHECK(line["input_tokens"] == 90);
  CHECK(line["output_tokens"] == 7);
  CHECK(line["cached_input_tokens"] == 40);
  CHECK(line.contains("latency_ms"));
  CHECK(line.contains("request_id"));
  CHECK(text.find("sk-play") == std::string::npos);
}

TEST_CASE("refusals and silence are logged like any other outcome", "[sandbox]") {
  TrafficBench bench;
  sandbox::Traffic traffic(bench.options, bench.transport, bench.files, bench.clock, bench.random);
  bench.transport.push(401, "{}");
  bench.transport.push(fail(ErrorCode::timeout, "no answer"));
  REQUIRE(traffic.step({}));
  CHECK(json::parse(bench.log())["status"] == 401);
  REQUIRE(traffic.step({}));
  CHECK(bench.log().find("\"status\":0") != std::string::npos);
  CHECK(traffic.counts().requests == 2);
  CHECK(traffic.counts().failed == 2);
}

TEST_CASE("a client follows its pool's file, and waits for it to appear", "[sandbox]") {
  TrafficBench bench;
  bench.transport.set_rule([](const test::RecordedRequest&) {
    net::HttpResponse response;
    response.status = 200;
    return response;
  });
  bench.options.clients.push_back({"/later.json", "http://h/beta", "m"});
  sandbox::Traffic traffic(bench.options, bench.transport, bench.files, bench.clock, bench.random);
  REQUIRE(traffic.step({}));
  REQUIRE(traffic.step({}));
  CHECK(traffic.counts().skipped == 1);
  bench.files.create("/pool.json", R"({"pool":"prod","key":"k-2","secret":"sk-play-2"})");
  REQUIRE(traffic.step({}));
  CHECK(bench.transport.requests().back().secret == "sk-play-2");
}

TEST_CASE("the log is renamed when it has grown enough", "[sandbox]") {
  TrafficBench bench;
  bench.options.rotate_bytes = 1;
  sandbox::Traffic traffic(bench.options, bench.transport, bench.files, bench.clock, bench.random);
  bench.transport.push(200, "{}");
  REQUIRE(traffic.step({}));
  CHECK(bench.log().empty());
  CHECK(json::parse(bench.log("usage.jsonl.1"))["key"] == "k-1");
}

TEST_CASE("a log that cannot be written stops the traffic with its name", "[sandbox]") {
  TrafficBench bench;
  bench.options.log_path = bench.dir / "no-such/usage.jsonl";
  sandbox::Traffic traffic(bench.options, bench.transport, bench.files, bench.clock, bench.random);
  bench.transport.push(200, "{}");
  const Status run = traffic.run({});
  REQUIRE_FALSE(run);
  CHECK(run.error().message.find("no-such/usage.jsonl") != std::string::npos);
}

TEST_CASE("stopped traffic sends nothing", "[sandbox]") {
  TrafficBench bench;
  sandbox::Traffic traffic(bench.options, bench.transport, bench.files, bench.clock, bench.random);
  std::stop_source stop;
  stop.request_stop();
  CHECK(traffic.run(stop.get_token()));
  CHECK(bench.transport.requests().empty());
}
