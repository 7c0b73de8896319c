#include "metrics/catalogue.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <set>
#include <stdexcept>

#include "base/text.hpp"

namespace {

using keyherd::metrics::catalogue;
using keyherd::metrics::MetricInfo;
using keyherd::metrics::MetricType;

const std::string kDocument = KEYHERD_DOCS "/metrics.md";

TEST_CASE("docs/metrics.md is the catalogue") {
  std::ifstream file(kDocument);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  INFO("write it anew with: test_metrics \"Write docs/metrics.md\"");
  CHECK(text == keyherd::metrics::catalogue_markdown());
}

TEST_CASE("Write docs/metrics.md", "[.generate]") {
  std::ofstream file(kDocument);
  file << keyherd::metrics::catalogue_markdown();
  REQUIRE(file.flush());
}

TEST_CASE("Names follow the conventions of Prometheus, and none comes twice") {
  std::set<std::string_view> names;
  for (const MetricInfo& info : catalogue()) {
    INFO(info.name);
    CHECK(names.insert(info.name).second);
    CHECK((info.name.starts_with("keyherd_") || info.name.starts_with("process_")));
    CHECK(std::all_of(info.name.begin(), info.name.end(),
                      [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; }));
    CHECK(info.name.ends_with("_total") == (info.type == MetricType::counter));
  }
}

TEST_CASE("Units are base units and stand in the name") {
  for (const MetricInfo& info : catalogue()) {
    INFO(info.name);
    if (info.unit == "seconds" || info.unit == "bytes" || info.unit == "ratio" ||
        info.unit == "tokens")
      CHECK(info.name.find("_" + std::string(info.unit)) != std::string_view::npos);
    for (const char* const foreign : {"milli", "_ms", "percent", "minutes", "_kb"})
      CHECK(info.name.find(foreign) == std::string_view::npos);
  }
}

TEST_CASE("Help texts are one line that needs no escaping and ends with a full stop") {
  for (const MetricInfo& info : catalogue()) {
    INFO(info.name);
    REQUIRE(!info.help.empty());
    CHECK(info.help.ends_with("."));
    CHECK(info.help.find_first_of("\n\r\\|") == std::string_view::npos);
    CHECK(keyherd::is_valid_utf8(info.help));
  }
}

TEST_CASE("No label clashes with those that Prometheus or its users put on a target") {
  const std::set<std::string_view> taken{"job",   "instance", "type",       "region", "zone",
                                         "env",   "cluster",  "customer",   "stage",  "service",
                                         "owner", "dc",       "environment"};
  for (const MetricInfo& info : catalogue())
    for (const std::string_view name : keyherd::split(info.labels, ',')) {
      INFO(info.name);
      CHECK_FALSE(taken.contains(keyherd::trim(name)));
    }
}

TEST_CASE("A metric is found by its name, and only by its name") {
  CHECK(keyherd::metrics::metric("keyherd_key_up").type == MetricType::gauge);
  CHECK_THROWS_AS(keyherd::metrics::metric("keyherd_key"), std::logic_error);
}

}  // namespace
