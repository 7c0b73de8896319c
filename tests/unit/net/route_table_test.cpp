#include <catch2/catch.hpp>

#include "net/route_table.hpp"

using namespace keyherd::net;

namespace {

Route route(const char* method, const char* pattern) {
  return Route{method, pattern, 0, [](const ServerRequest&) { return ServerResponse{}; }};
}

}  // namespace

TEST_CASE("a request finds its route by method and path") {
  const RouteTable table(
      {route("GET", "/"), route("GET", "/api/v1/keys/{id}"), route("GET", "/api/v1/keys/all"),
       route("POST", "/api/v1/keys/{id}/{verb}"), route("POST", "/api/v1/keys/{id}")});
  CHECK(table.match("GET", {""}).route->pattern == "/");
  const auto key = table.match("GET", {"api", "v1", "keys", "k1"});
  REQUIRE(key.route != nullptr);
  CHECK(key.route->pattern == "/api/v1/keys/{id}");
  CHECK(key.captures == std::vector<std::string>{"k1"});
  CHECK(table.match("GET", {"api", "v1", "keys", "all"}).route->pattern == "/api/v1/keys/all");
  CHECK(table.match("HEAD", {""}).route->pattern == "/");
  CHECK(table.match("POST", {"api", "v1", "keys", "k", "probe"}).captures ==
        std::vector<std::string>{"k", "probe"});
}

TEST_CASE("a wrong method is told from a wrong path") {
  const RouteTable table({route("GET", "/keys/{id}"), route("POST", "/keys/{id}")});
  const auto method = table.match("DELETE", {"keys", "k"});
  CHECK(method.route == nullptr);
  CHECK(method.allowed == "GET, HEAD, POST");
  for (const auto& path : std::vector<std::vector<std::string>>{
           {"keys"}, {"keys", ""}, {"keys", "k", ""}, {"Keys", "k"}}) {
    const auto missing = table.match("GET", path);
    CHECK(missing.route == nullptr);
    CHECK(missing.allowed.empty());
  }
}
