#include "config/values.hpp"

#include <catch2/catch.hpp>

#include "config/config.hpp"

using namespace keyherd;
using namespace keyherd::config;

TEST_CASE("ids are letters, digits, dots, underscores and dashes, 1 to 64 of them") {
  for (const char* good : {"a", "deepseek-prod-1", "A.b_c", "0"})
    CHECK(is_id(good));
  CHECK(is_id(std::string(64, 'x')));
  for (const char* bad : {"", "a b", "a/b", "ä", "a\n", "a:b"})
    CHECK_FALSE(is_id(bad));
  CHECK_FALSE(is_id(std::string(65, 'x')));
}

TEST_CASE("an address to listen on has a host and a port") {
  const auto v4 = parse_listen("0.0.0.0:80");
  REQUIRE(v4);
  CHECK(v4->address == "0.0.0.0");
  CHECK(v4->port == 80);
  const auto v6 = parse_listen("[::1]:0");
  REQUIRE(v6);
  CHECK(v6->address == "::1");
  CHECK(v6->port == 0);
  for (const char* bad : {"", ":9925", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:9925",
                          "[::1]", "[::1", "[x]:1", "a b:1", "h:-1", "h:1x", "[::1]9925"})
    CHECK_FALSE(parse_listen(bad));
}

TEST_CASE("only 127.0.0.0/8, ::1 and localhost are this machine") {
  for (const char* here : {"localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1"})
    CHECK(is_loopback(here));
  for (const char* elsewhere : {"0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example.com", "127.1",
                                "localhost.example.com", "", "::ffff:10.0.0.1"})
    CHECK_FALSE(is_loopback(elsewhere));
}

TEST_CASE("windows are calendar words or rolling whole minutes") {
  CHECK(parse_window("month")->kind == model::WindowKind::month);
  const auto rolling = parse_window("rolling 24h");
  REQUIRE(rolling);
  CHECK(rolling->kind == model::WindowKind::rolling);
  CHECK(rolling->rolling == std::chrono::hours(24));
  CHECK(parse_window("rolling 1h30m"));
  for (const char* bad :
       {"", "Day", "rolling", "rolling 30s", "rolling 90s", "rolling 367d", "24h"})
    CHECK_FALSE(parse_window(bad));
}

TEST_CASE("URLs are https, or http where nothing leaves the machine or it is allowed") {
  for (const char* good : {"https://api.example.com", "https://api.example.com:8443/v1/",
                           "http://localhost:4000", "http://127.0.0.1", "http://[::1]:4000/v1"})
    CHECK(check_url(good, false));
  CHECK(check_url("http://gateway:4000", true));
  for (const char* bad :
       {"", "api.example.com", "HTTPS://api.example.com", "https://", "https:///v1",
        "http://gateway:4000", "http://127.0.0.1@gateway", "https://u:p@host", "https://host:0",
        "https://host:", "https://host:x", "https://ho st", "https://host/a b", "https://host/#a",
        "https://host/?a=b", "https://h\xc3\xb6st", "https://[::1", "https://[::1]x"})
    CHECK_FALSE(check_url(bad, false));
  CHECK(check_webhook_url("https://hooks.example.com/x?id=5", false));
  CHECK_FALSE(check_webhook_url("http://hooks.example.com/x?id=5", false));
}

TEST_CASE("a published file may be shared with its group, never with everyone") {
  CHECK(parse_mode("0600").value() == 0600);
  CHECK(parse_mode("0640").value() == 0640);
  CHECK(parse_mode("0660").value() == 0660);
  for (const char* bad : {"", "0644", "0400", "0700", "600", "06000", "0o60", "0680"})
    CHECK_FALSE(parse_mode(bad));
}

TEST_CASE("JSON Pointers begin with a slash and escape tildes") {
  for (const char* good : {"/", "/a", "/a/0/b", "/a~1b/~0c"})
    CHECK(check_json_pointer(good));
  for (const char* bad : {"", "a", "/a~", "/a~2"})
    CHECK_FALSE(check_json_pointer(bad));
}

TEST_CASE("headers cannot carry credentials, break lines or replace the transport's own") {
  CHECK(check_header("OpenAI-Organization", "org-1 x"));
  for (const char* name : {"", "a b", "a:", "Authorization", "X-API-Key", "Cookie", "Host"})
    CHECK_FALSE(check_header(name, "v"));
  CHECK_FALSE(check_header("X-Team", "a\r\nHost: b"));
}

TEST_CASE("labels have names like variables and short values") {
  CHECK(check_label("team_1", "search & ads"));
  for (const char* name : {"", "1a", "a-b", "a b"})
    CHECK_FALSE(check_label(name, "v"));
  CHECK_FALSE(check_label("a", std::string(257, 'x')));
}
