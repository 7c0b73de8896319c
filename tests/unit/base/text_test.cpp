#include "base/text.hpp"

#include <catch2/catch.hpp>

using namespace keyherd;

TEST_CASE("printable text is valid UTF-8, without control characters, and bounded") {
  CHECK(printable("plain", 10) == "plain");
  CHECK(printable("a\nb\x01", 10) == "a b ");
  CHECK(printable("\xff\xc0\xaf", 20) == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(printable("\xed\xa0\x80", 20).find('\xed') == std::string::npos);  // a lone surrogate
  const std::string cut = printable("äöüäöüäöü", 10);
  CHECK(cut.size() <= 10);
  CHECK(is_valid_utf8(cut));
  CHECK(cut.ends_with("…"));
}

TEST_CASE("near misses are suggested, far ones are not") {
  const std::vector<std::string> known{"deepseek", "openai", "gemini"};
  CHECK(nearest("depseek", known) == "deepseek");
  CHECK(nearest("OpenAI", known) == "openai");
  CHECK_FALSE(nearest("mistral", known));
  CHECK_FALSE(nearest("x", {}));
}

TEST_CASE("integers are digits that fit") {
  CHECK(parse_int("0042") == 42);
  CHECK(parse_int("9223372036854775807") == 9223372036854775807);
  for (const char* bad : {"", "-1", "+1", "1.0", "9223372036854775808", " 1"})
    CHECK_FALSE(parse_int(bad));
}

TEST_CASE("encodings") {
  CHECK(url_encode("a b/ä") == "a%20b%2F%C3%A4");
  CHECK(base64("") == "");
  CHECK(base64("f") == "Zg==");
  CHECK(base64("fo") == "Zm8=");
  CHECK(base64("foobar") == "Zm9vYmFy");
  CHECK(split("a,b,", ',') == std::vector<std::string_view>{"a", "b", ""});
  CHECK(trim(" \t x \n") == "x");
  CHECK(contains_ignore_case("Insufficient Balance", "insufficient balance"));
}
