#include "api/auth.hpp"

#include <catch2/catch.hpp>

using namespace keyherd;
using namespace keyherd::api;
using model::Role;

TEST_CASE("tokens are found by their value only") {
  Tokens tokens;
  CHECK(tokens.empty());
  tokens.add(Secret("reader-token-0123"), {Role::read, {}});
  tokens.add(Secret("consumer-token-01"), {Role::consume, {"prod"}});
  REQUIRE(tokens.find("Bearer reader-token-0123"));
  CHECK(tokens.find("Bearer reader-token-0123")->role == Role::read);
  CHECK(tokens.find("bearer consumer-token-01")->pools == std::vector<std::string>{"prod"});
  for (const char* bad :
       {"", "Bearer", "Bearer ", "Bearer reader-token-012", "Bearer reader-token-01234",
        "Basic reader-token-0123", "reader-token-0123", "Bearer \xff"})
    CHECK_FALSE(tokens.find(bad));
}

TEST_CASE("roles include the ones below") {
  CHECK(model::includes(Role::admin, Role::metrics));
  CHECK(model::includes(Role::consume, Role::read));
  CHECK_FALSE(model::includes(Role::read, Role::consume));
}

TEST_CASE("a confined principal sees its pools") {
  const Principal confined{Role::consume, {"a"}};
  CHECK(confined.may_see_pool("a"));
  CHECK_FALSE(confined.may_see_pool("b"));
  CHECK(Principal{}.may_see_pool("b"));
}

TEST_CASE("on loopback only loopback names are served, against DNS rebinding") {
  const Access access;
  for (const char* good :
       {"127.0.0.1:9925", "localhost", "LOCALHOST:9925", "localhost.", "[::1]:9925", "[::1]"})
    CHECK(is_served_host(good, access));
  for (const char* bad :
       {"evil.com", "evil.com:9925", "127.0.0.1.evil.com", "", "[::2]", "localhost.evil", "[::1",
        "127.0.0.1@evil.com", "evil.com:127.0.0.1", "10.0.0.1:9925", "127.1"})
    CHECK_FALSE(is_served_host(bad, access));
}

TEST_CASE("names that are listed are served, and beyond loopback addresses too") {
  Access access;
  access.hosts = {"keyherd.example"};
  CHECK(is_served_host("KeyHerd.example:9925", access));
  CHECK_FALSE(is_served_host("other.example", access));
  CHECK_FALSE(is_served_host("keyherd.example.evil.com", access));
  access.listen_address = "0.0.0.0";
  CHECK(is_served_host("10.0.0.1:9925", access));
  CHECK(is_served_host("[2001:db8::1]:9925", access));
  CHECK(is_served_host("localhost:9925", access));
  CHECK_FALSE(is_served_host("other.example", access));
  access.hosts.clear();
  CHECK(is_served_host("other.example", access));
}

TEST_CASE("a page's origin is that of the host it asks, or it is a stranger") {
  CHECK(is_same_origin("http://127.0.0.1:9925", "127.0.0.1:9925"));
  CHECK(is_same_origin("https://Keyherd.example", "keyherd.example"));
  for (const char* stranger : {"null", "", "http://evil.com", "http://127.0.0.1:9926",
                               "http://127.0.0.1:9925.evil.com", "127.0.0.1:9925"})
    CHECK_FALSE(is_same_origin(stranger, "127.0.0.1:9925"));
}
