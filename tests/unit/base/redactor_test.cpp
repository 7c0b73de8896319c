#include "base/redactor.hpp"

#include <catch2/catch.hpp>

#include "base/text.hpp"

using namespace keyherd;

namespace {
const std::string kCanary = "CANARY+secret/with=odd%chars";
}

TEST_CASE(
    "thousands of secrets that begin alike are all found, the longest where one begins another") {
  keyherd::Redactor redactor;
  for (int i = 0; i < 5'000; ++i)
    redactor.add(keyherd::Secret("acme-prod-" + std::to_string(1'000'000 + i)));
  redactor.add(keyherd::Secret("acme-prod-1000007-and-more"));
  for (int i = 0; i < 5'000; i += 499)
    CHECK(redactor.redact("<acme-prod-" + std::to_string(1'000'000 + i) + ">") == "<[redacted]>");
  CHECK(redactor.redact("(acme-prod-1000007-and-more)") == "([redacted])");
  CHECK(redactor.redact("acme-prod-2000000") == "acme-prod-2000000");
}

TEST_CASE("a known secret is found in every form in which it may come back") {
  Redactor redactor;
  redactor.add(Secret(kCanary));
  std::vector<std::string> forms{kCanary, to_hex(kCanary), url_encode(kCanary)};
  for (std::size_t shift = 0; shift < 3; ++shift)
    forms.push_back(base64(std::string(shift, 'x') + kCanary + "tail"));
  for (const std::string& form : forms) {
    CAPTURE(form);
    const std::string clean = redactor.redact("before " + form + " after");
    CHECK(clean.find("[redacted]") != std::string::npos);
    CHECK(clean.starts_with("before "));
    CHECK(clean.ends_with(" after"));
    // Of the base64 forms a few characters at the ends belong to the neighbours as well.
    CHECK(clean.size() < std::string("before  after[redacted]").size() + 12);
  }
}

TEST_CASE("a JSON-escaped secret is found") {
  Redactor redactor;
  redactor.add(Secret("quote\"and\\slash"));
  CHECK(redactor.redact(R"({"echo":"quote\"and\\slash"})") == R"({"echo":"[redacted]"})");
}

TEST_CASE("the longest of overlapping secrets is taken whole") {
  Redactor redactor;
  redactor.add(Secret("abcdefgh12345"));
  redactor.add(Secret("abcdefgh12345-and-more"));
  CHECK(redactor.redact("x abcdefgh12345-and-more y") == "x [redacted] y");
  CHECK(redactor.redact("x abcdefgh12345 y") == "x [redacted] y");
}

TEST_CASE("unknown keys are recognised by their shape, ordinary words are not") {
  const Redactor redactor;
  CHECK(redactor.redact("key sk-proj-0123456789abcdef refused") == "key [redacted] refused");
  CHECK(redactor.redact("provided: sk-abc***def.") == "provided: [redacted]");
  CHECK(redactor.redact("Authorization: Bearer abcdefghijkl") == "Authorization: [redacted]");
  CHECK(redactor.redact("AIzaSyA0123456789abc") == "[redacted]");
  CHECK(redactor.redact("the task-list, risk-free, sk-1") == "the task-list, risk-free, sk-1");
}

TEST_CASE("short values are not searched for") {
  Redactor redactor;
  redactor.add(Secret("short"));
  CHECK(redactor.redact("a short story") == "a short story");
}
