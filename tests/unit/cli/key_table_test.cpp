#include "cli/key_table.hpp"

#include <catch2/catch.hpp>

#include "config/key_document.hpp"

using namespace keyherd;
using namespace keyherd::cli;

TEST_CASE("a table with commas becomes keys, each in the line of its row") {
  const auto document = keys_from_csv(
      "\xef\xbb\xbfid,provider,secret,priority,quotas,label.team\r\n"
      "a,p,env:A,2,day;month,search\r\n"
      "\r\n"
      "b,p,\"exec:[\"\"get\"\",\"\"b\"\"]\",,,\"ads, and more\"\n");
  REQUIRE(document);
  const auto result = config::parse_keys_json(*document, "keys.csv");
  REQUIRE(result.errors.empty());
  REQUIRE(result.keys.size() == 2);
  CHECK(result.lines == std::vector<int>{2, 4});
  CHECK(result.keys[0].priority == 2);
  CHECK(result.keys[0].quotas == std::vector<std::string>{"day", "month"});
  CHECK(result.keys[0].labels.at("team") == "search");
  CHECK(result.keys[1].secret.text == R"(exec:["get","b"])");
  CHECK(result.keys[1].labels.at("team") == "ads, and more");
}

TEST_CASE("what is wrong with a row names the row") {
  CHECK(keys_from_csv("id,provider\na,p,x\n").error().message ==
        "row 2: has 3 cells, but there are 2 columns");
  CHECK(keys_from_csv("id,provider\na,p\nb,\"p\n").error().message ==
        "row 3: a quoted cell does not end where the next begins");
  CHECK(keys_from_csv("name,provider\n").error().message ==
        "row 1: names the columns, and one must be \"id\"");
  CHECK(keys_from_csv("id,labels,label.team\na,x,y\n").error().message ==
        "row 1: \"labels\" is no column: each label has its own, like \"label.team\"");
  CHECK(keys_from_csv("id,provider,id\na,p,b\n").error().message ==
        "row 1: there are two columns \"id\"");
  CHECK(keys_from_csv("id,provider,,\na,p,,\n"));
  const auto bad = config::parse_keys_json(
      keys_from_csv("id,provider,secret,priority\na,p,env:A,1\nb,p,env:B,high\n").value(),
      "keys.csv");
  REQUIRE(bad.errors.size() == 1);
  CHECK(config::to_string(bad.errors[0]).starts_with("keys.csv:3:"));
}
