#include <catch2/catch.hpp>

#include "base/files.hpp"
#include "sandbox/sandbox.hpp"

using namespace keyherd;
using namespace std::chrono_literals;

namespace {
std::string problem(std::string_view text) {
  const auto parsed = sandbox::parse_scenario(text);
  return parsed ? "" : parsed.error().message;
}
}  // namespace

TEST_CASE("a scenario names faces, keys and their lives", "[sandbox]") {
  const auto parsed = sandbox::parse_scenario(R"({
    "port": 9000, "seed": 3, "models": ["m"],
    "faces": [{"name": "alpha", "latency": "40ms", "jitter": "10ms",
               "outages": [{"at": "1m", "for": "10s", "mode": "hang", "path": "/chat"}],
               "open": ["models", "chat"]}],
    "keys": [{"id": "k", "face": "alpha", "secret": "s", "account": "a", "balance": 2.5,
              "currency": "CNY", "price_per_request": 0.5,
              "life": [{"at": "12s", "event": "throttle", "for": "5s"},
                       {"at": "20s", "event": "top_up", "amount": 3}]}]})");
  REQUIRE(parsed);
  CHECK(parsed->port == 9000);
  CHECK(parsed->seed == 3);
  CHECK(parsed->models == std::vector<std::string>{"m"});
  REQUIRE(parsed->faces.size() == 1);
  CHECK(parsed->faces[0].latency == 40ms);
  CHECK(parsed->faces[0].outages.at(0).mode == sandbox::Outage::hang);
  CHECK(parsed->faces[0].outages.at(0).path == "/chat");
  CHECK(parsed->faces[0].open == std::vector{sandbox::CallKind::models, sandbox::CallKind::chat});
  REQUIRE(parsed->keys.size() == 1);
  CHECK(parsed->keys[0].currency == "CNY");
  CHECK(parsed->keys[0].life.at(0).lasts == 5s);
  CHECK(parsed->keys[0].life.at(1).kind == sandbox::LifeEventKind::top_up);
  CHECK(parsed->keys[0].life.at(1).amount == Approx(3));
  CHECK_FALSE(parsed->keys[0].life.at(1).lasts);
}

TEST_CASE("a scenario's mistakes are named with their place", "[sandbox]") {
  CHECK(problem("{") == "reading the scenario: not JSON at byte 2");
  CHECK(problem(R"({"prot": 1})") == "reading the scenario: prot: is not known here");
  CHECK(problem(R"({"port": 70000})") == "reading the scenario: port: expected at most 65535");
  CHECK(problem(R"({"keys": [{"id": "k"}]})") ==
        "reading the scenario: keys[0].secret: is missing");
  CHECK(problem(R"({"keys": [{"id": "k", "secret": "s", "balance": -1}]})") ==
        "reading the scenario: keys[0].balance: expected a number that is not negative");
  CHECK(problem(
            R"({"keys": [{"id": "k", "secret": "s", "life": [{"at": "1s", "event": "die"}]}]})") ==
        "reading the scenario: keys[0].life[0].event: \"die\" is not known");
  CHECK(problem(R"({"faces": [{"name": "a", "latency": 5}]})") ==
        "reading the scenario: faces[0].latency: expected a duration such as \"1m30s\"");
  CHECK(problem(R"({"faces": [{"name": "a", "open": ["doors"]}]})") ==
        "reading the scenario: faces[0].open[0]: expected \"models\", \"balance\" or \"chat\"");
  CHECK(problem("[]") == "reading the scenario: : expected an object");
}

TEST_CASE("the demo's scenario has eight keys on two faces, three of them with troubles",
          "[sandbox]") {
  const auto text = make_posix_file_system()->read(KEYHERD_EXAMPLES "/demo-sandbox.json", 1 << 20);
  REQUIRE(text);
  const auto parsed = sandbox::parse_scenario(*text);
  REQUIRE(parsed);
  CHECK(parsed->keys.size() == 8);
  CHECK(parsed->faces.size() == 2);
  int troubled = 0;
  for (const auto& key : parsed->keys)
    troubled += key.life.empty() ? 0 : 1;
  CHECK(troubled == 3);
}
