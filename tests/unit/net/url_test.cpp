#include <catch2/catch.hpp>

#include "net/transport.hpp"

using keyherd::ErrorCode;
using keyherd::net::is_loopback_host;
using keyherd::net::parse_url;

TEST_CASE("a URL is cut into scheme, host, port and target") {
  struct Case {
    const char* url;
    const char* scheme;
    const char* host;
    int port;
    const char* target;
  };
  const auto c = GENERATE(values<Case>({
      {"https://api.deepseek.com", "https", "api.deepseek.com", 443, "/"},
      {"http://127.0.0.1:9925/v1/models?limit=1", "http", "127.0.0.1", 9925, "/v1/models?limit=1"},
      {"HTTPS://API.OpenAI.com/v1/", "https", "api.openai.com", 443, "/v1/"},
      {"http://[::1]:8080/x", "http", "::1", 8080, "/x"},
      {"http://gateway?key=1", "http", "gateway", 80, "/?key=1"},
      {"https://my_service:1", "https", "my_service", 1, "/"},
  }));
  CAPTURE(c.url);
  const auto parts = parse_url(c.url);
  REQUIRE(parts);
  CHECK(parts->scheme == c.scheme);
  CHECK(parts->host == c.host);
  CHECK(parts->port == c.port);
  CHECK(parts->target == c.target);
}

TEST_CASE("a URL that could be understood in two ways is refused") {
  const std::string url = GENERATE(values<std::string>({"",
                                                        "api.openai.com",
                                                        "ftp://host/",
                                                        "http:///path",
                                                        "http://:80/",
                                                        "http://user@host/",
                                                        "http://user:pass@host/",
                                                        "http://host:0/",
                                                        "http://host:65536/",
                                                        "http://host:80x/",
                                                        "http://host:/",
                                                        "http://host:-1/",
                                                        "http://ho st/",
                                                        "http://host/a b",
                                                        "http://host/\r\nX: y",
                                                        "http://host/#fragment",
                                                        "http://host\\@evil/",
                                                        "http://[::1",
                                                        "http://[x]/",
                                                        "http://[::1]80/",
                                                        "http://h%6fst/",
                                                        "http://2130706433/",
                                                        "http://127.1/",
                                                        "http://0x7f.0.0.1/",
                                                        "http://0x7f000001/",
                                                        "http://169.254.169.254./",
                                                        "http://0251.0376.0251.0376/",
                                                        "http://[fe80::1%lo]/",
                                                        "file:///etc/passwd",
                                                        "gopher://host/",
                                                        "http://h\xC3\xB6st/",
                                                        "https://host/\xC3\xB6"}));
  CAPTURE(url);
  const auto parts = parse_url(url);
  REQUIRE_FALSE(parts);
  CHECK(parts.error().code == ErrorCode::invalid);
}

TEST_CASE("loopback is what every resolver takes to this machine, and nothing that looks like it") {
  for (const char* host : {"127.0.0.1", "127.8.9.10", "localhost", "LOCALHOST", "localhost.", "::1",
                           "[::1]", "::ffff:127.0.0.1"}) {
    CAPTURE(host);
    CHECK(is_loopback_host(host));
  }
  for (const char* host :
       {"", "127.0.0.1.evil.com", "localhost.evil.com", "x.localhost", "127.1", "2130706433",
        "0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "[::1", "0x7f.0.0.1"}) {
    CAPTURE(host);
    CHECK_FALSE(is_loopback_host(host));
  }
}
