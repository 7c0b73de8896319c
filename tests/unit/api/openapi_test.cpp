// docs/openapi.json against the table of routes. That the answers are as it says, the end-to-end
// test of the API sees.

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "api/routes.hpp"

using namespace keyherd;
using namespace keyherd::api;
using nlohmann::json;

namespace {

json document() {
  std::ifstream file(KEYHERD_TEST_DATA "/../../docs/openapi.json");
  return json::parse(file);
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

TEST_CASE("docs/openapi.json has every route with its role and its captures, and no other") {
  const json paths = document()["paths"];
  std::set<std::string> described;
  for (const auto& [path, methods] : paths.items())
    for (const auto& [method, operation] : methods.items())
      described.insert(method + " " + path);
  for (const RouteInfo& route : route_table()) {
    const std::string method = lower(std::string(route.method));
    const std::string path(route.pattern);
    INFO("docs/openapi.json: describe " << method << " " << path
                                        << " with its role, parameters and answers");
    REQUIRE(described.erase(method + " " + path) == 1);
    const json& operation = paths[path][method];
    CHECK(operation["x-keyherd-role"] ==
          (route.role ? json(model::to_string(*route.role)) : json(nullptr)));
    CHECK(operation.contains("security") == !route.role);
    CHECK_FALSE(operation["summary"].get<std::string>().empty());
    std::size_t captures = 0;
    for (const json& parameter : operation.value("parameters", json::array()))
      captures += parameter["in"] == "path" ? 1U : 0U;
    CHECK(captures == static_cast<std::size_t>(std::count(path.begin(), path.end(), '{')));
  }
  CHECK(described == std::set<std::string>());
}
