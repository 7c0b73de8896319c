#include "model/naming.hpp"

#include <catch2/catch.hpp>

TEST_CASE("An endpoint is host and port, never a user or a path") {
  using keyherd::model::endpoint_of;
  CHECK(endpoint_of("https://api.deepseek.com") == "api.deepseek.com");
  CHECK(endpoint_of("http://user:pass@127.0.0.1:8080/v1?x=1") == "127.0.0.1:8080");
  CHECK(endpoint_of("https://[::1]:8443/v1") == "[::1]:8443");
  CHECK(endpoint_of("").empty());
}
