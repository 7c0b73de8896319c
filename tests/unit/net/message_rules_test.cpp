#include <catch2/catch.hpp>

#include "net/answer.hpp"
#include "net/message_rules.hpp"

using namespace keyherd::net;

TEST_CASE("a header value that would start a line of its own is no value") {
  CHECK(is_plain_value("Bearer abc"));
  CHECK(is_plain_value(""));
  CHECK_FALSE(is_plain_value("k\r\nX-Injected: 1"));
  CHECK_FALSE(is_plain_value("tab\there"));
  CHECK_FALSE(is_plain_value(" leading"));
  CHECK_FALSE(is_plain_value("trailing "));
  CHECK_FALSE(is_plain_value("gr\xC3\xBC\xC3\x9F"));
  CHECK_FALSE(is_plain_value(std::string_view("a\0b", 3)));
  CHECK_FALSE(is_credential(""));
  CHECK_FALSE(is_credential("two words"));
  CHECK(is_credential("sk-abc_DEF.123"));
}

TEST_CASE("a name is a token") {
  CHECK(is_token("X-Api-Key"));
  CHECK_FALSE(is_token(""));
  CHECK_FALSE(is_token("X Api"));
  CHECK_FALSE(is_token("X:"));
  CHECK_FALSE(is_token("X\r\n"));
}

TEST_CASE("an option of a list header is found whatever its case and place") {
  CHECK(has_option("keep-alive, Close", "close"));
  CHECK(has_option("close", "close"));
  CHECK_FALSE(has_option("closed, x", "close"));
}

TEST_CASE("an answer's head cannot be broken by what a handler puts into it") {
  ServerResponse response;
  response.body = "12345";
  response.headers = {{"X-Note", "a\r\nSet-Cookie: b"},
                      {"Bad Name", "x"},
                      {"Content-Length", "999"},
                      {"Connection", "upgrade"},
                      {"Transfer-Encoding", "chunked"}};
  CHECK(format_answer_head(response, Persistence::keep_alive) ==
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n"
        "X-Note: a  Set-Cookie: b\r\n\r\n");
  response.headers.clear();
  response.status = 204;
  CHECK(format_answer_head(response, Persistence::close) ==
        "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
}
