#include "metrics/exposition.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "base/text.hpp"
#include "metrics/catalogue.hpp"
#include "metrics/herd.hpp"
#include "sample_herd.hpp"

namespace {

using keyherd::metrics::catalogue;
using keyherd::metrics::MetricInfo;
using keyherd::metrics::MetricType;
using keyherd::model::KeyView;
using keyherd::model::Snapshot;
using keyherd::test::add;
using keyherd::test::Fixture;
using keyherd::test::full_key;
using keyherd::test::full_snapshot;
using keyherd::test::parse;
using keyherd::test::plain_key;
using keyherd::test::Sample;
using keyherd::test::small_snapshot;
using keyherd::test::value_of;

std::string render(const Snapshot& snapshot) {
  return Fixture().exposition.render(snapshot);
}

// The family of a sample: without the suffixes of a histogram.
std::string family_of(const std::string& name) {
  for (const MetricInfo& info : catalogue())
    if (info.type == MetricType::histogram && name.starts_with(info.name))
      return std::string(info.name);
  return name;
}

std::size_t series_of_key(const std::string& text, const std::string& key) {
  std::size_t count = 0;
  for (const Sample& sample : parse(text)) {
    const auto found = sample.labels.find("key");
    count += found != sample.labels.end() && found->second == key ? 1 : 0;
  }
  return count;
}

// What follows is about this process.
std::string golden_text() {
  const std::string text = render(small_snapshot());
  return text.substr(0, text.find("# HELP process_"));
}

TEST_CASE("A small herd reads as the golden text says") {
  std::ifstream file(KEYHERD_METRICS_GOLDEN);
  const std::string golden(std::istreambuf_iterator<char>(file), {});
  INFO("write it anew with: test_metrics \"Write the golden text\"");
  CHECK(golden_text() == golden);
}

TEST_CASE("Write the golden text", "[.generate]") {
  std::ofstream file(KEYHERD_METRICS_GOLDEN);
  file << golden_text();
  REQUIRE(file.flush());
}

TEST_CASE("The whole exposition emits exactly the families of the catalogue, in its order") {
  Fixture fixture;
  fixture.exposition.observe_http("/metrics", "GET", 200, std::chrono::milliseconds(3));
  const std::string text = fixture.exposition.render(full_snapshot());
  std::vector<std::string> seen;
  for (const Sample& sample : parse(text))
    if (const std::string family = family_of(sample.name); seen.empty() || seen.back() != family)
      seen.push_back(family);
  std::vector<std::string> expected;
  for (const MetricInfo& info : catalogue())
    expected.emplace_back(info.name);
  CHECK(seen == expected);
}

TEST_CASE("The families of Prometheus text are declared once, with type and help") {
  std::set<std::string> declared;
  std::istringstream lines(render(full_snapshot()));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# TYPE "))
      continue;
    const auto words = keyherd::split(line, ' ');
    REQUIRE(words.size() == 4);
    INFO(line);
    CHECK(declared.emplace(words[2]).second);
    CHECK(words[3] == to_string(keyherd::metrics::metric(words[2]).type));
  }
}

TEST_CASE("Labels are those of the catalogue, in its order") {
  Fixture fixture;
  fixture.exposition.observe_http("/metrics", "GET", 200, std::chrono::milliseconds(3));
  for (const Sample& sample : parse(fixture.exposition.render(full_snapshot()))) {
    const MetricInfo& info = keyherd::metrics::metric(family_of(sample.name));
    std::vector<std::string> expected;
    for (const std::string_view name : keyherd::split(info.labels, ','))
      if (!keyherd::trim(name).empty())
        expected.emplace_back(name == " label_*" ? "label_team" : keyherd::trim(name));
    if (sample.name.ends_with("_bucket"))
      expected.emplace_back("le");
    // The library writes the labels of the agent's own families in the order of their names.
    std::vector<std::string> written = sample.label_order;
    if (info.name.starts_with("keyherd_http")) {
      std::sort(written.begin(), written.end());
      std::sort(expected.begin(), expected.end());
    }
    INFO(sample.name);
    CHECK(written == expected);
  }
}

TEST_CASE("No series comes twice, even when names collide once they are labels") {
  Snapshot snapshot = full_snapshot();
  KeyView key = full_key("k2");
  key.usage_by_model = {{"a\nb", {}}, {"a b", {}}, {"c", {}}};
  key.usage_by_model["a\nb"].requests = 2;
  key.usage_by_model["a b"].requests = 3;
  key.balances = {{"USD", 1}, {"CNY", 2}, {"USD", 3}};
  key.rate_limits = {{"tokens", 1, 1, {}}, {"tokens", 2, 2, {}}};
  key.key.labels = {{"a-b", "1"}, {"a_b", "2"}};
  add(snapshot, std::move(key));
  const std::string text = render(snapshot);
  std::set<std::pair<std::string, std::map<std::string, std::string>>> seen;
  for (const Sample& sample : parse(text)) {
    INFO(sample.name);
    CHECK(seen.emplace(sample.name, sample.labels).second);
  }
  CHECK(
      value_of(text, R"(keyherd_usage_requests_total{key="k2",provider="deepseek",model="a b"})") ==
      "5");
  CHECK(value_of(text, R"(keyherd_key_labels{key="k2",label_a_b="1",label_a_b_conflict1="2"})") ==
        "1");
}

TEST_CASE("Exactly one state of a key is 1") {
  for (std::size_t i = 0; i < keyherd::model::kKeyStateCount; ++i) {
    Snapshot snapshot;
    KeyView key = plain_key("k1");
    key.health.state = static_cast<keyherd::model::KeyState>(i);
    add(snapshot, std::move(key));
    std::vector<std::string> on;
    std::size_t states = 0;
    for (const Sample& sample : parse(render(snapshot))) {
      if (sample.name != "keyherd_key_state")
        continue;
      ++states;
      if (sample.value == "1")
        on.push_back(sample.labels.at("state"));
    }
    CHECK(states == keyherd::model::kKeyStateCount);
    CHECK(on == std::vector<std::string>{
                    std::string(to_string(static_cast<keyherd::model::KeyState>(i)))});
  }
}

TEST_CASE("Every verdict but ok is a reason from the first scrape on") {
  Snapshot snapshot;
  KeyView key = plain_key("k1");
  key.probes.failures[static_cast<std::size_t>(keyherd::model::Verdict::rate_limited)] = 4;
  add(snapshot, std::move(key));
  const std::string text = render(snapshot);
  for (const auto& info : keyherd::model::verdict_table()) {
    const std::string series =
        R"(keyherd_probe_failures_total{key="k1",provider="deepseek",reason=")" +
        std::string(info.name) + "\"}";
    INFO(series);
    if (info.verdict == keyherd::model::Verdict::ok)
      CHECK(text.find(series) == std::string::npos);
    else
      CHECK(value_of(text, series) ==
            (info.verdict == keyherd::model::Verdict::rate_limited ? "4" : "0"));
  }
}

TEST_CASE("Quotas of a limit group carry its name as key and its keys' provider") {
  const std::string text = render(full_snapshot());
  CHECK(value_of(text, R"(keyherd_quota_limit{key="group:acct-main",provider="deepseek",)"
                       R"(quota="wallet",unit="usd"})") == "2");
  Snapshot mixed = full_snapshot();
  add(mixed, plain_key("k2", "openai"));
  CHECK(value_of(render(mixed), R"(keyherd_quota_limit{key="group:acct-main",provider="",)"
                                R"(quota="wallet",unit="usd"})") == "2");
}

TEST_CASE("Unaccounted spend is shown where it can be said, with its wallet as key") {
  const std::string text = render(full_snapshot());
  CHECK(value_of(text, R"(keyherd_unaccounted_spend{key="group:acct-main",provider="deepseek",)"
                       R"(currency="USD"})") == "1.25");
  CHECK(text.find("group:other") == std::string::npos);
  CHECK(value_of(text, R"(keyherd_balance_drop_total{key="k1",provider="deepseek",)"
                       R"(currency="USD"})") == "3.5");
  CHECK(value_of(text, "keyherd_unaccounted_spend_threshold") == "1");
  CHECK(value_of(text, R"(keyherd_quota_trust_ratio{key="k1"})") == "0.97");
  CHECK(value_of(text, R"(keyherd_usagelog_records_suspect_total{source="gateway",)"
                       R"(reason="missing_usage"})") == "3");
}

TEST_CASE("Fewer than three thresholds are the highest levels") {
  Snapshot snapshot;
  KeyView key = full_key("k1");
  key.quotas[0].thresholds = {0.8, 0.9};
  key.quotas.resize(1);
  add(snapshot, std::move(key));
  const std::string text = render(snapshot);
  const std::string series =
      R"(keyherd_quota_threshold_ratio{key="k1",provider="deepseek",quota="daily",)";
  CHECK(value_of(text, series + R"(level="warning"})") == "0.8");
  CHECK(value_of(text, series + R"(level="critical"})") == "0.9");
  CHECK(text.find(series + R"(level="info")") == std::string::npos);
}

TEST_CASE("A key has at most 100 series, however many models its log names") {
  Snapshot snapshot = full_snapshot();
  CHECK(series_of_key(render(snapshot), "k1") <= 100);
  KeyView key = full_key("k2");
  for (int i = 0; i < 1000; ++i)
    key.usage_by_model["random-" + std::to_string(i)].requests = 1;
  add(snapshot, std::move(key));
  keyherd::model::ProviderView provider = *snapshot.providers[0];
  for (int i = 0; i < 50; ++i)
    provider.provider.prices["random-" + std::to_string(i)] = {};
  snapshot.providers.clear();
  add(snapshot, std::move(provider));
  const std::string text = render(snapshot);
  CHECK(series_of_key(text, "k2") <= 100);
  CHECK(series_of_key(text, "k2") > 90);  // the pool's series is the only fact missing
}

TEST_CASE("Models beyond the bound are summed under other, priced ones keep their names") {
  Snapshot snapshot = small_snapshot();
  keyherd::model::ProviderView provider = *snapshot.providers[0];
  provider.provider.prices["pro"] = {};
  snapshot.providers.clear();
  add(snapshot, std::move(provider));
  KeyView key = plain_key("k2");
  for (const char* const name : {"a", "b", "c", "d", "e", "pro"})
    key.usage_by_model[name].requests = 10;
  add(snapshot, std::move(key));
  const std::string text = render(snapshot);
  const std::string series = R"(keyherd_usage_requests_total{key="k2",provider="deepseek",model=)";
  CHECK(value_of(text, series + "\"pro\"}") == "10");
  CHECK(value_of(text, series + "\"other\"}") == "50");
  CHECK(text.find(series + "\"a\"}") == std::string::npos);
  CHECK(value_of(text, R"(keyherd_usage_models_folded_total{provider="deepseek"})") == "50");
}

TEST_CASE("A key that is gone leaves no series behind") {
  Fixture fixture;
  Snapshot snapshot = full_snapshot();
  const std::string before = fixture.exposition.render(snapshot);
  CHECK(series_of_key(before, "k1") > 50);
  snapshot.keys.clear();
  snapshot.pools.clear();
  const std::string after = fixture.exposition.render(snapshot);
  CHECK(series_of_key(after, "k1") == 0);
}

TEST_CASE("The same facts give the same text") {
  Fixture fixture;
  for (const char* const handler : {"/b", "/a", "/c"})
    fixture.exposition.observe_http(handler, "GET", 200, std::chrono::milliseconds(3));
  const auto stable = [&] {
    const std::string text = fixture.exposition.render(full_snapshot());
    return text.substr(0, text.find("# HELP process_"));
  };
  const std::string first = stable();
  CHECK(first == stable());
  CHECK(first.find("handler=\"/a\"") < first.find("handler=\"/b\""));
}

TEST_CASE("HTTP requests are counted by route, method and code, unusual methods as other") {
  Fixture fixture;
  fixture.exposition.observe_http("/api/v1/keys/{id}", "GET", 200, std::chrono::milliseconds(20));
  fixture.exposition.observe_http("/api/v1/keys/{id}", "GET", 200, std::chrono::milliseconds(20));
  fixture.exposition.observe_http("/api/v1/keys/{id}", "BREW", 9999, std::chrono::seconds(40));
  fixture.exposition.count_auth_failure();
  const std::string text = fixture.exposition.render({});
  CHECK(value_of(text, R"(keyherd_http_requests_total{code="200",handler="/api/v1/keys/{id}",)"
                       R"(method="GET"})") == "2");
  CHECK(value_of(text, R"(keyherd_http_requests_total{code="599",handler="/api/v1/keys/{id}",)"
                       R"(method="other"})") == "1");
  CHECK(value_of(text,
                 R"(keyherd_http_request_duration_seconds_count{handler="/api/v1/keys/{id}"})") ==
        "3");
  CHECK(value_of(text,
                 R"(keyherd_http_request_duration_seconds_bucket{handler="/api/v1/keys/{id}",)"
                 R"(le="0.05"})") == "2");
  CHECK(value_of(text, "keyherd_http_auth_failures_total") == "1");
}

TEST_CASE("Log lines are counted by level") {
  Fixture fixture;
  fixture.log.warning = 3;
  const std::string text = fixture.exposition.render({});
  CHECK(value_of(text, R"(keyherd_log_messages_total{level="warning"})") == "3");
  CHECK(value_of(text, R"(keyherd_log_messages_total{level="error"})") == "0");
}

TEST_CASE("The number of series is that of the text") {
  Fixture fixture;
  fixture.exposition.observe_http("/metrics", "GET", 200, std::chrono::milliseconds(3));
  const std::string text = fixture.exposition.render(full_snapshot());
  CHECK(value_of(text, "keyherd_scrape_series") == std::to_string(parse(text).size()));
}

TEST_CASE("A scrape comes in pieces of whole lines that make up the text, of the moment it began") {
  Fixture fixture;
  Snapshot snapshot = small_snapshot();
  for (int i = 0; i < 500; ++i)
    add(snapshot, full_key("key-" + std::to_string(1000 + i)));
  const std::string whole = fixture.exposition.render(snapshot);
  auto shared = std::make_shared<const Snapshot>(std::move(snapshot));
  const std::weak_ptr<const Snapshot> alive = shared;
  auto scrape = fixture.exposition.scrape(std::move(shared));
  std::string text;
  std::size_t pieces = 0;
  for (bool more = true; more; ++pieces) {
    std::string piece;
    more = scrape->next(piece);
    CHECK(piece.ends_with("\n"));
    CHECK(piece.size() < 320'000);
    CHECK((!more || piece.size() > 250'000));
    text += piece;
  }
  CHECK(pieces > 5);
  CHECK(text.substr(0, text.find("# HELP process_")) ==
        whole.substr(0, whole.find("# HELP process_")));
  CHECK_FALSE(alive.expired());
  scrape.reset();
  CHECK(alive.expired());
}

TEST_CASE("Families that are to be dropped are left out, and no other") {
  Fixture fixture;
  const keyherd::metrics::Exposition lean(
      {}, fixture.log, fixture.clock, {5, {"keyherd_probe_failures_total", "keyherd_nonsense"}});
  const std::string text = lean.render(full_snapshot());
  CHECK(text.find("keyherd_probe_failures_total") == std::string::npos);
  std::set<std::string> families;
  for (const Sample& sample : parse(text))
    families.insert(family_of(sample.name));
  CHECK(families.size() ==
        catalogue().size() - 3);  // nor the two of HTTP requests: there were none
}

}  // namespace
