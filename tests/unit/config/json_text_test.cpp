#include "config/json_text.hpp"

#include <catch2/catch.hpp>

using namespace keyherd;
using namespace keyherd::config;

namespace {

struct Parsed {
  std::optional<Node> node;
  std::vector<Problem> errors;
};

Parsed parse_json(std::string_view text) {
  Report report;
  const std::size_t file = report.add_file("keys.json");
  Parsed result{parse_json_text(text, file, report), {}};
  result.errors = report.take_errors();
  return result;
}

}  // namespace

TEST_CASE("JSON keeps every kind of value") {
  const auto parsed =
      parse_json(R"({"a": [null, true, -5, 1.5, "t\u00e9", {}], "b": 18446744073709551615})");
  REQUIRE(parsed.node);
  const auto& members = std::get<Table>(parsed.node->value);
  const auto& items = std::get<List>(members[0].node.value);
  REQUIRE(items.size() == 6);
  CHECK(std::holds_alternative<std::monostate>(items[0].value));
  CHECK(std::get<bool>(items[1].value));
  CHECK(std::get<std::int64_t>(items[2].value) == -5);
  CHECK(std::get<double>(items[3].value) == 1.5);
  CHECK(std::get<std::string>(items[4].value) == "té");
  CHECK(std::get<Table>(items[5].value).empty());
  CHECK(std::get<double>(members[1].node.value) == Approx(1.8446744073709552e19));
}

TEST_CASE("JSON members know their line and column, and repeated names are all there") {
  const auto parsed = parse_json("{\n  \"one\": 1,\n    \"two\": {\"x\": 2},\n  \"one\": 3\n}\n");
  REQUIRE(parsed.node);
  const auto& members = std::get<Table>(parsed.node->value);
  REQUIRE(members.size() == 3);
  CHECK(members[0].position.line == 2);
  CHECK(members[0].position.column == 3);
  CHECK(members[1].position.line == 3);
  CHECK(members[1].position.column == 5);
  CHECK(members[2].name == "one");
  CHECK(members[2].node.position.line == 4);
}

TEST_CASE("what is not JSON is reported where it stops being JSON, without being shown") {
  const auto parsed = parse_json("{\n  \"secret\": sk-CANARY\n}");
  CHECK_FALSE(parsed.node);
  REQUIRE(parsed.errors.size() == 1);
  CHECK(to_string(parsed.errors[0]) == "keys.json:2:13: not valid JSON");
  CHECK_FALSE(parse_json("").node);
  CHECK_FALSE(parse_json("{} {}").node);
  CHECK_FALSE(parse_json("{\"a\": \"\xff\"}").node);
}

TEST_CASE("JSON may be nested 32 deep and no deeper") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(parse_json(nested(32)).node);
  const auto deep = parse_json(nested(33));
  CHECK_FALSE(deep.node);
  REQUIRE(deep.errors.size() == 1);
  CHECK(deep.errors[0].message == "nested deeper than 32");
  CHECK_FALSE(parse_json(std::string(1'000'000, '[')).node);
}
