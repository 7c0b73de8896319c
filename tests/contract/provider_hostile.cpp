// Answers that no provider documents: whatever comes, nothing crashes, nothing reads as a good key,
// and nothing reads as an empty purse.

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/random.hpp"
#include "model/verdict.hpp"
#include "probe/classifier.hpp"
#include "support/manual_clock.hpp"

using namespace keyherd;
using nlohmann::json;

namespace {

const WallTime kHostileNow = test::ManualClock().now().wall;

probe::Classified classified(const probe::ProviderType& type, model::ProbeKind kind, int status,
                             std::string body) {
  net::HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return probe::classify(type, kind, response, kHostileNow);
}

template <class Check>
void for_every_probe(Check check) {
  for (const std::string& name : probe::supported_types()) {
    const probe::ProviderType& type = *probe::find_provider_type(name);
    for (std::size_t kind = 0; kind < model::kProbeKindCount; ++kind)
      if (type.rung(static_cast<model::ProbeKind>(kind)))
        check(type, static_cast<model::ProbeKind>(kind));
  }
}

const std::vector<std::string>& nonsense() {
  static const std::vector<std::string> kBodies{
      "",
      " ",
      "null",
      "true",
      "0",
      "-1e999",
      "[]",
      "[[]]",
      "[null]",
      "{}",
      "\"\"",
      "{\"error\":null}",
      "{\"error\":{}}",
      "{\"error\":[]}",
      "{\"error\":[{\"message\":5}]}",
      "{\"data\":null}",
      "{\"data\":{}}",
      "{\"models\":{}}",
      "{\"choices\":{}}",
      "{\"choices\":[null]}",
      "{\"choices\":[],\"usage\":{}}",
      "{\"content\":{},\"usage\":[]}",
      "{\"candidates\":[],\"usageMetadata\":7}",
      "{\"is_available\":true}",
      "{\"is_available\":false}",
      "{\"is_available\":false,\"balance_infos\":[]}",
      "{\"is_available\":1,\"balance_infos\":[{}]}",
      "{\"data\":{\"available_balance\":null},\"status\":true}",
      "{\"code\":20000,\"data\":{}}",
      "{\"info\":{}}",
      "{\"info\":{\"max_budget\":0}}",
      "{\"data\":{\"limit_remaining\":\"none\"}}",
      "<!doctype html><title>Welcome</title>",
      "\xff\xfe\x00\x01",
      "{\"a\":" + std::string(100, '['),
      std::string(5000, '{'),
      std::string(100'000, 'x'),
  };
  return kBodies;
}

struct Success {
  const probe::ProviderType* type;
  model::ProbeKind kind;
  json body;
};

// The recorded successes.
std::vector<Success> successes() {
  std::vector<Success> found;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(KEYHERD_TEST_DATA "/providers")) {
    if (entry.path().extension() != ".json")
      continue;
    std::ifstream file(entry.path());
    const json data = json::parse(file);
    if (data["expect"]["verdict"] == "ok" && data["status"] == 200 && data.contains("body"))
      found.push_back({probe::find_provider_type(entry.path().parent_path().filename().string()),
                       *model::probe_kind_from_string(data["kind"].get<std::string>()),
                       data["body"]});
  }
  return found;
}

// Every place in the value, as JSON Pointers.
void places(const json& value, const json::json_pointer& at,
            std::vector<json::json_pointer>& into) {
  into.push_back(at);
  if (value.is_object())
    for (const auto& member : value.items())
      places(member.value(), at / member.key(), into);
  if (value.is_array())
    for (std::size_t i = 0; i < value.size(); ++i)
      places(value[i], at / i, into);
}

bool is_about_money(model::Verdict verdict) {
  return verdict == model::Verdict::balance_exhausted || verdict == model::Verdict::quota_exhausted;
}

}  // namespace

TEST_CASE("nonsense is never ok, and never an empty purse", "[probe]") {
  for_every_probe([](const probe::ProviderType& type, model::ProbeKind kind) {
    for (const std::string& body : nonsense()) {
      for (const int status : {200, 201, 204, 206, 301, 418, 500, 503}) {
        const auto result = classified(type, kind, status, body);
        INFO(type.name << ' ' << model::to_string(kind) << ' ' << status << ' '
                       << body.substr(0, 60));
        // An empty list of models is the documented answer of an account without models.
        const bool empty_list =
            status == 200 && kind == model::ProbeKind::models && body.find('[') == 0;
        CHECK((result.reading.verdict != model::Verdict::ok || empty_list));
        CHECK(result.reading.balances.empty());
        CHECK_FALSE(is_about_money(result.reading.verdict));
      }
    }
  });
}

TEST_CASE("a success with one part gone or of another type shows no balance that it does not state",
          "[probe]") {
  const std::vector<json> others{nullptr, json::object(), json::array(), "", "abc", "NaN", true};
  const auto all = successes();
  REQUIRE(all.size() > 30);
  for (const Success& one : all) {
    std::vector<json::json_pointer> pointers;
    places(one.body, json::json_pointer(), pointers);
    for (const auto& pointer : pointers) {
      for (const json& other : others) {
        json changed = one.body;
        changed[pointer] = other;
        const auto result = classified(*one.type, one.kind, 200, changed.dump());
        INFO(one.type->name << ' ' << model::to_string(one.kind) << ' ' << changed.dump());
        for (const model::Balance& balance : result.reading.balances)
          CHECK(balance.nanos != 0);
        CHECK_FALSE(result.reading.verdict == model::Verdict::balance_exhausted);
      }
    }
  }
}

TEST_CASE("bytes drawn by lot, and halves of real answers, are never ok", "[probe]") {
  SeededRandom random(7);
  const auto all = successes();
  for (int round = 0; round < 300; ++round) {
    std::string noise(static_cast<std::size_t>(random.unit() * 200), ' ');
    for (char& c : noise)
      c = static_cast<char>(random.unit() * 256);
    for_every_probe([&](const probe::ProviderType& type, model::ProbeKind kind) {
      CHECK(classified(type, kind, 200, noise).reading.verdict == model::Verdict::server_error);
    });
  }
  for (const Success& one : all) {
    const std::string whole = one.body.dump();
    for (std::size_t length = 0; length < whole.size(); length += 3)
      CHECK(classified(*one.type, one.kind, 200, whole.substr(0, length)).reading.verdict !=
            model::Verdict::ok);
  }
}
