#include <catch2/catch.hpp>

#include "net/request_target.hpp"

using keyherd::net::parse_target;

TEST_CASE("a target is cut before it is decoded") {
  const auto target = parse_target("/api/a%2Fb/c+d?x=1%262&y=a+b&z&x=2");
  REQUIRE(target);
  CHECK(target->path == "/api/a/b/c+d");
  CHECK(target->segments == std::vector<std::string>{"api", "a/b", "c+d"});
  CHECK(target->query.count("x") == 2);
  CHECK(target->query.find("x")->second == "1&2");
  CHECK(target->query.find("y")->second == "a b");
  CHECK(target->query.find("z")->second.empty());
  CHECK(parse_target("/")->segments == std::vector<std::string>{""});
}

TEST_CASE("a target that decodes to something dangerous is refused") {
  for (const char* text : {"", "x", "/%", "/%4", "/%zz", "/%0d%0aX", "/%00", "/?a=%0a", "/?%0d=1",
                           "/%ff", "/?a=%c3"}) {
    CAPTURE(text);
    const auto target = parse_target(text);
    REQUIRE_FALSE(target);
    CHECK(target.error().status == 400);
  }
}
