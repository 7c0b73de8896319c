// Every preset reads its sample in tests/data/usage to the token, the nano-USD and the millisecond.

#include <catch2/catch.hpp>

#include <set>

#include "base/files.hpp"
#include "base/time_text.hpp"
#include "usage/offline.hpp"
#include "usage/presets.hpp"
#include "whole_log.hpp"

using namespace keyherd;
using namespace keyherd::usage;

namespace {

model::UsageContext sample_keys() {
  model::UsageContext context;
  for (const std::string name : {"ds-prod-1", "xai-1", "openai-prod-1", "moon-1", "claude-a",
                                 "gem-1", "or-main", "prod-1", "7"})
    context.keys[name] = {name, "p", false};
  context.keys["sha256:88dc28d0f030"] = {"litellm-a", "p", false};
  return context;
}

OfflineReport read_sample(const std::string& name, const std::string& format) {
  model::UsageLog log;
  log.id = "sample";
  log.path = std::string(KEYHERD_TEST_DATA) + "/usage/" + name + ".jsonl";
  log.format = format;
  const auto files = make_posix_file_system();
  const Instant now{*parse_rfc3339("2026-11-22T11:00:00Z"), SteadyTime()};
  auto report = test::read_whole(*files, log, sample_keys(), now);
  REQUIRE(report);
  return std::move(*report);
}

struct Expected {
  std::string preset;
  std::int64_t skipped = 0;
  // requests, failed, input, cached, written, output, reasoning, cost, unpriced, latency, with one
  model::UsageCounts counts;
  std::set<std::string> keys;
};

const std::vector<Expected> kExpected{
    {"keyherd", 0, {2, 1, 812, 512, 0, 143, 0, 132'000, 0, 873, 2}, {"ds-prod-1"}},
    {"openai_capture",
     0,
     {5, 1, 1060, 680, 0, 502, 310, 10'000, 3, 3160, 5},
     {"ds-prod-1", "moon-1", "openai-prod-1", "xai-1"}},
    {"anthropic_capture", 0, {3, 1, 2420, 1890, 500, 240, 0, 0, 2, 3000, 3}, {"claude-a"}},
    {"gemini_capture", 0, {3, 1, 435, 60, 0, 272, 184, 0, 2, 1352, 3}, {"gem-1"}},
    {"litellm_slp", 1, {5, 3, 196, 128, 0, 68, 0, 148'800, 0, 1942, 5}, {"litellm-a"}},
    {"litellm_spendlogs", 1, {2, 1, 98, 0, 0, 34, 0, 93'600, 0, 942, 2}, {"litellm-a"}},
    {"portkey_export", 1, {2, 1, 98, 0, 0, 34, 0, 93'600, 0, 942, 2}, {"openai-prod-1"}},
    {"helicone", 0, {2, 1, 98, 64, 0, 34, 0, 74'400, 0, 900, 2}, {"openai-prod-1"}},
    {"openrouter_generation", 0, {2, 0, 148, 64, 0, 37, 4, 94'400, 0, 1250, 2}, {"or-main"}},
    {"otlp_json", 3, {3, 1, 105, 64, 0, 37, 0, 0, 2, 992, 3}, {"ds-prod-1", "openai-prod-1"}},
    {"otel_flat", 1, {3, 1, 103, 0, 0, 34, 0, 0, 2, 30'854, 3}, {"openai-prod-1"}},
    {"envoy_ai_gateway", 1, {2, 1, 98, 0, 0, 34, 0, 0, 1, 857, 2}, {"openai-prod-1"}},
    {"envoy_json", 1, {2, 1, 0, 0, 0, 0, 0, 0, 0, 845, 2}, {"openai-prod-1"}},
    {"nginx_json", 1, {3, 1, 98, 0, 0, 34, 0, 74'400, 1, 2192, 3}, {"openai-prod-1"}},
    {"vercel_ai_sdk", 1, {3, 1, 116, 8, 0, 37, 2, 0, 2, 940, 3}, {"openai-prod-1"}},
    {"langsmith_run", 2, {2, 1, 98, 0, 0, 34, 0, 93'600, 0, 942, 2}, {"openai-prod-1"}},
    {"newapi_log", 1, {2, 1, 98, 0, 0, 34, 0, 94'000, 0, 1000, 2}, {"7", "prod-1"}},
};

}  // namespace

TEST_CASE("every preset sums up its sample exactly") {
  for (const Expected& expected : kExpected) {
    INFO(expected.preset);
    const OfflineReport report = read_sample(expected.preset, expected.preset);
    model::UsageCounts sum;
    std::set<std::string> keys;
    for (const model::UsageRow& row : report.usage) {
      sum.add(row.counts);
      keys.insert(row.key);
    }
    CHECK(sum.requests == expected.counts.requests);
    CHECK(sum.failed == expected.counts.failed);
    CHECK(sum.input == expected.counts.input);
    CHECK(sum.cached_input == expected.counts.cached_input);
    CHECK(sum.cache_write == expected.counts.cache_write);
    CHECK(sum.output == expected.counts.output);
    CHECK(sum.reasoning == expected.counts.reasoning);
    CHECK(sum.cost == expected.counts.cost);
    CHECK(sum.unpriced == expected.counts.unpriced);
    CHECK(sum.latency_ms == expected.counts.latency_ms);
    CHECK(sum.latency_count == expected.counts.latency_count);
    CHECK(report.counts.skipped == expected.skipped);
    CHECK(report.counts.future == 0);
    CHECK(report.samples == std::vector<std::string>());
    CHECK(keys == expected.keys);
  }
}

TEST_CASE("there is a sample for every preset, and each can be read as a format") {
  std::set<std::string> sampled;
  for (const Expected& expected : kExpected)
    sampled.insert(expected.preset);
  std::set<std::string> named;
  for (const Preset& preset : presets()) {
    named.emplace(preset.name);
    CHECK_FALSE(preset.summary.empty());
    INFO(preset.name);
    CHECK(make_mapping(preset.format));
  }
  CHECK(sampled == named);
  CHECK(named.size() == 17);
}

TEST_CASE("a second name is the same format") {
  for (const auto& [alias, name] : {std::pair{"litellm", "litellm_slp"}, {"otel", "otlp_json"}})
    CHECK(read_sample(name, alias).counts == read_sample(name, name).counts);
}

TEST_CASE("every time of a sample falls into the quarter of an hour that it names") {
  for (const Expected& expected : kExpected) {
    INFO(expected.preset);
    for (const model::UsageRow& row : read_sample(expected.preset, expected.preset).usage)
      CHECK(row.bucket == model::bucket_of(*parse_rfc3339("2026-11-22T10:15:00Z")));
  }
}
