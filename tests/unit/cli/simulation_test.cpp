#include "cli/simulation.hpp"

#include <catch2/catch.hpp>

#include "cli/replay.hpp"
#include "cli_context.hpp"

using namespace keyherd;
using namespace keyherd::cli;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

SimulationResult run(model::Strategy strategy, const Workload& load, std::uint64_t seed = 1) {
  return simulate(strategy, load, seed, [](std::size_t) {});
}

Workload load_of(std::size_t requests, std::vector<SimulatedKey> keys, std::size_t at_once = 2) {
  Workload load;
  load.at_once = at_once;
  load.keys = std::move(keys);
  for (std::size_t i = 0; i < requests; ++i)
    load.requests.push_back({seconds(i), 90, 10, milliseconds(100), 5, false});
  return load;
}

SimulatedKey a_key(const std::string& id, int priority = 1, std::int64_t quota = 0) {
  SimulatedKey key;
  key.id = id;
  key.priority = priority;
  key.quota = quota;
  return key;
}

}  // namespace

TEST_CASE("the same load and seed give the same numbers, another seed others") {
  const Workload load = synthetic_workload({});
  const auto first = run(model::Strategy::quota_aware, load);
  const auto second = run(model::Strategy::quota_aware, load);
  CHECK(first.succeeded == second.succeeded);
  CHECK(first.latency_sum == second.latency_sum);
  CHECK(first.used == second.used);
  SyntheticOptions other;
  other.seed = 2;
  CHECK(run(model::Strategy::quota_aware, synthetic_workload(other)).latency_sum !=
        first.latency_sum);
}

TEST_CASE("every strategy serves nearly all of the usual load, within the quotas") {
  const Workload load = synthetic_workload({});
  REQUIRE(load.requests.size() == 1'000);
  for (const auto strategy :
       {model::Strategy::round_robin, model::Strategy::priority, model::Strategy::quota_aware,
        model::Strategy::least_used, model::Strategy::lowest_latency}) {
    const auto result = run(strategy, load);
    CHECK(result.requests == 1'000);
    CHECK(result.succeeded >= 970);
    CHECK(result.succeeded < 1'000);  // one key is throttled, one fails now and then
    CHECK(result.quota == 250'000);
    CHECK(result.used > result.quota * 3 / 4);
    CHECK(result.used <= result.quota);
    CHECK(result.latency_p95 > result.latency_sum / result.succeeded);
  }
}

TEST_CASE("priority uses the preferred key alone, in turn all are used alike") {
  const Workload load = load_of(100, {a_key("main", 3, 100'000), a_key("spare", 1, 100'000)}, 1);
  CHECK(run(model::Strategy::priority, load).succeeded == 100);
  Workload only_main = load;
  only_main.keys[1].refusals.push_back({seconds(0), seconds(1'000), 401});
  CHECK(run(model::Strategy::priority, only_main).succeeded == 100);
  CHECK(run(model::Strategy::round_robin, only_main).succeeded == 99);  // one finds it out
}

TEST_CASE("a key that is used up is left for another, and when all are requests fail") {
  const Workload load = load_of(50, {a_key("a", 1, 1'000), a_key("b", 1, 2'000)}, 1);
  const auto result = run(model::Strategy::round_robin, load);
  CHECK(result.succeeded == 30);
  CHECK(result.used == 3'000);
  CHECK(result.quota == 3'000);
  CHECK(result.cost == 150);
}

TEST_CASE("a log is replayed through another strategy: its requests, its refused keys") {
  test::CliContext cli;
  const auto line = [](const std::string& at, const std::string& key, int status) {
    return R"({"ts":"2026-04-30T10:00:)" + at + R"(Z","key":")" + key +
           R"(","model":"m","input_tokens":100,"output_tokens":20,"status":)" +
           std::to_string(status) + R"(,"latency_ms":500})" + "\n";
  };
  cli.files.append("usage.jsonl", line("00", "k1", 200) + line("01", "k1", 401) + "nonsense\n" +
                                      line("02", "k1", 401) + line("03", "k2", 200) +
                                      line("04", "k1", 200) + line("05", "k2", 503));
  const auto load = replay_of(cli.context, "usage.jsonl", "keyherd", {}, 0);
  REQUIRE(load);
  CHECK(load->requests.size() == 6);
  CHECK(load->requests[3].at == seconds(3));
  CHECK(load->requests[3].input_tokens == 100);
  CHECK(load->requests[3].latency == milliseconds(500));
  CHECK(load->requests[5].provider_fails);
  REQUIRE(load->keys.size() == 2);
  REQUIRE(load->keys[0].refusals.size() == 1);
  CHECK(load->keys[0].refusals[0].from == seconds(1));
  CHECK(load->keys[0].refusals[0].to == seconds(4));
  CHECK(load->keys[0].refusals[0].http_status == 401);
  // The log has three failures; a strategy that leaves a refused key alone has one or two.
  CHECK(run(model::Strategy::priority, *load).succeeded >= 4);
  cli.files.append("empty.jsonl", "{}\n");
  CHECK(replay_of(cli.context, "empty.jsonl", "keyherd", {}, 0).error().code ==
        ErrorCode::not_found);
}
