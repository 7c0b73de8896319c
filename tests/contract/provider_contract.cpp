// Runs every recorded answer under tests/data/providers/<type>/ through the classifier: what it
// says, whom it concerns, and when it ends.

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/time_text.hpp"
#include "model/verdict.hpp"
#include "probe/classifier.hpp"
#include "support/manual_clock.hpp"

using namespace keyherd;
using nlohmann::json;

namespace {

struct Case {
  std::string name;
  std::string type;
  model::ProbeKind kind;
  net::HttpResponse response;
  json expect;
};

Case load(const std::filesystem::path& path) {
  std::ifstream file(path);
  const json data = json::parse(file);
  Case loaded;
  loaded.type = path.parent_path().filename().string();
  loaded.name = loaded.type + "/" + path.stem().string();
  loaded.kind = model::probe_kind_from_string(data.at("kind").get<std::string>()).value();
  loaded.response.status = data.at("status").get<int>();
  for (const auto& header : data.at("headers").items())
    loaded.response.headers.emplace(header.key(), header.value().get<std::string>());
  loaded.response.body =
      data.contains("body") ? data["body"].dump() : data.at("body_text").get<std::string>();
  loaded.expect = data.at("expect");
  return loaded;
}

const std::vector<Case>& all_cases() {
  static const std::vector<Case> kCases = [] {
    std::vector<Case> cases;
    const std::filesystem::path root(KEYHERD_TEST_DATA "/providers");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
      if (entry.path().extension() == ".json")
        cases.push_back(load(entry.path()));
    return cases;
  }();
  return kCases;
}

const WallTime kCasesNow = test::ManualClock().now().wall;

std::string end_of(const probe::Classified& result) {
  return result.retry_at ? format_rfc3339(*result.retry_at) : "none";
}

void check_balances(const json& expected, const probe::Reading& reading) {
  REQUIRE(reading.balances.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(reading.balances[i].currency == expected[i][0].get<std::string>());
    CHECK(reading.balances[i].nanos == expected[i][1].get<std::int64_t>());
  }
}

std::string signature(const probe::Rule& rule) {
  std::ostringstream text;
  text << model::to_string(rule.verdict);
  for (const auto& range : rule.statuses)
    text << ' ' << range.from << '-' << range.to;
  for (const auto& code : rule.codes)
    text << " code:" << code;
  for (const auto& part : rule.texts)
    text << " text:" << part;
  return text.str();
}

// Whether some recorded answer of the type depends on this row.
bool is_exercised(const probe::ProviderType& type, std::size_t row) {
  probe::ProviderType mutant = type;
  const auto verdict = mutant.rules[row].verdict;
  mutant.rules[row].verdict = verdict == model::Verdict::account_disabled
                                  ? model::Verdict::upstream_auth
                                  : model::Verdict::account_disabled;
  const auto& cases = all_cases();
  return std::any_of(cases.begin(), cases.end(), [&](const Case& one) {
    return one.type == type.name &&
           probe::classify(mutant, one.kind, one.response, kCasesNow).reading.verdict !=
               probe::classify(type, one.kind, one.response, kCasesNow).reading.verdict;
  });
}

}  // namespace

TEST_CASE("every recorded answer is classified as recorded", "[probe]") {
  REQUIRE(all_cases().size() > 420);
  for (const Case& one : all_cases()) {
    INFO(one.name);
    const probe::ProviderType* type = probe::find_provider_type(one.type);
    REQUIRE(type != nullptr);
    const auto result = probe::classify(*type, one.kind, one.response, kCasesNow);
    CHECK(std::string(model::to_string(result.reading.verdict)) ==
          one.expect.at("verdict").get<std::string>());
    const json& end = one.expect.at("retry_at");
    CHECK(end_of(result) == (end.is_null() ? "none" : end.get<std::string>()));
    const auto scope = result.reading.scope.value_or(model::info(result.reading.verdict).scope);
    CHECK(std::string(model::to_string(scope)) == one.expect.at("scope").get<std::string>());
    if (one.expect.contains("balances"))
      check_balances(one.expect["balances"], result.reading);
    CHECK((result.reading.verdict == model::Verdict::ok || !result.reading.message.empty()));
  }
}

TEST_CASE("every row of every error table decides some recorded answer", "[probe]") {
  std::set<std::string> rows;
  std::set<std::string> exercised;
  for (const std::string& name : probe::supported_types()) {
    const probe::ProviderType& type = *probe::find_provider_type(name);
    for (std::size_t row = 0; row < type.rules.size(); ++row) {
      rows.insert(signature(type.rules[row]));
      if (is_exercised(type, row))
        exercised.insert(signature(type.rules[row]));
    }
  }
  for (const std::string& row : rows) {
    INFO(row);
    CHECK(exercised.contains(row));
  }
}

TEST_CASE("the recorded answers of deepseek and openai_compat reach every verdict", "[probe]") {
  std::set<std::string> seen;
  for (const Case& one : all_cases())
    if (one.type == "deepseek" || one.type == "openai_compat")
      seen.insert(one.expect.at("verdict").get<std::string>());
  for (const auto& row : model::verdict_table()) {
    INFO(row.name);
    CHECK(seen.contains(std::string(row.name)));
  }
}

TEST_CASE("no answer with an HTTP status other than 200 is ok without a reason", "[probe]") {
  for (const std::string& name : probe::supported_types()) {
    const probe::ProviderType& type = *probe::find_provider_type(name);
    for (int status = 100; status < 600; ++status) {
      net::HttpResponse response;
      response.status = status;
      response.body = "no reason at all";
      for (std::size_t kind = 0; kind < model::kProbeKindCount; ++kind) {
        INFO(name << " " << status << " kind " << kind);
        CHECK(probe::classify(type, static_cast<model::ProbeKind>(kind), response, kCasesNow)
                  .reading.verdict != model::Verdict::ok);
      }
    }
  }
}

TEST_CASE("a failed request says network, and less where more is known", "[probe]") {
  const auto verdict = [](std::string_view type, model::ProbeKind kind, ErrorCode code) {
    return probe::classify_failure(*probe::find_provider_type(type), kind, {code, "no answer"})
        .reading.verdict;
  };
  using model::ProbeKind;
  using model::Verdict;
  CHECK(verdict("deepseek", ProbeKind::balance, ErrorCode::unavailable) == Verdict::network);
  CHECK(verdict("deepseek", ProbeKind::balance, ErrorCode::timeout) == Verdict::network);
  CHECK(verdict("deepseek", ProbeKind::chat, ErrorCode::timeout) == Verdict::overloaded);
  CHECK(verdict("openai_compat", ProbeKind::chat, ErrorCode::timeout) == Verdict::network);
  CHECK(verdict("openai_compat", ProbeKind::chat, ErrorCode::too_large) == Verdict::server_error);
  CHECK(verdict("openai_compat", ProbeKind::chat, ErrorCode::invalid) == Verdict::bad_request);
}
