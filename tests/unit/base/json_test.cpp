#include "base/json.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace keyherd;

TEST_CASE("JSON is parsed up to a depth, and errors never quote the input") {
  CHECK((*parse_json(R"({"a":[1,2]})"))["a"][1] == 2);
  for (const std::string bad : {"", "{", "sk-SECRET-KEY", R"({"a":sk-SECRET)", "[1,]", "\xff"}) {
    const auto value = parse_json(bad);
    REQUIRE_FALSE(value);
    CHECK(value.error().message.find("SECRET") == std::string::npos);
    CHECK(value.error().message.starts_with("not JSON at byte "));
  }
}

TEST_CASE("deep JSON is refused instead of crashing later") {
  CHECK(parse_json(std::string(64, '[') + std::string(64, ']')));
  CHECK_FALSE(parse_json(std::string(65, '[') + std::string(65, ']')));
  CHECK_FALSE(parse_json(std::string(200'000, '[')));
  std::string objects;
  for (int i = 0; i < 200'000; ++i)
    objects += R"({"a":)";
  CHECK_FALSE(parse_json(objects));
}

TEST_CASE("invalid UTF-8 does not stop an answer") {
  CHECK(dump_json("a\xff") == "\"a\xEF\xBF\xBD\"");
}
