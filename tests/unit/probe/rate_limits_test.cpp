#include "probe/rate_limits.hpp"

#include <catch2/catch.hpp>

#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace std::chrono_literals;

namespace {
const WallTime kLimitsNow = test::ManualClock().now().wall;

std::vector<model::RateLimit> read(std::multimap<std::string, std::string> headers) {
  net::HttpResponse response;
  response.headers = std::move(headers);
  return probe::read_rate_limits(response, kLimitsNow);
}
}  // namespace

TEST_CASE("OpenAI's headers give requests and tokens with their resets", "[probe]") {
  const auto limits = read({{"x-ratelimit-limit-requests", "500"},
                            {"x-ratelimit-remaining-requests", "499"},
                            {"x-ratelimit-reset-requests", "120ms"},
                            {"x-ratelimit-limit-tokens", "30000"},
                            {"x-ratelimit-remaining-tokens", "0"},
                            {"x-ratelimit-reset-tokens", "6m0s"}});
  REQUIRE(limits.size() == 2);
  CHECK(limits[0].resource == "requests");
  CHECK(limits[0].limit == 500);
  CHECK(limits[0].remaining == 499);
  CHECK(limits[0].reset_at == kLimitsNow + 120ms);
  CHECK(limits[1].resource == "tokens");
  CHECK(limits[1].remaining == 0);
  CHECK(limits[1].reset_at == kLimitsNow + 6min);
}

TEST_CASE("Anthropic's headers name input and output tokens apart", "[probe]") {
  const auto limits = read({{"anthropic-ratelimit-input-tokens-limit", "50000"},
                            {"anthropic-ratelimit-input-tokens-remaining", "49000"},
                            {"anthropic-ratelimit-input-tokens-reset", "2026-05-01T00:01:00Z"},
                            {"anthropic-ratelimit-output-tokens-limit", "8000"},
                            {"anthropic-ratelimit-output-tokens-remaining", "8000"}});
  REQUIRE(limits.size() == 2);
  CHECK(limits[0].resource == "input_tokens");
  CHECK(limits[0].reset_at == kLimitsNow + 1min);
  CHECK(limits[1].resource == "output_tokens");
  CHECK_FALSE(limits[1].reset_at);
}

TEST_CASE("Mistral's headers name the minute", "[probe]") {
  const auto limits = read({{"x-ratelimit-limit-req-minute", "60"},
                            {"x-ratelimit-remaining-req-minute", "59"},
                            {"x-ratelimit-limit-tokens-minute", "500000"},
                            {"x-ratelimit-remaining-tokens-minute", "499000"}});
  REQUIRE(limits.size() == 2);
  CHECK(limits[0].resource == "requests");
  CHECK(limits[0].limit == 60);
  CHECK(limits[1].resource == "tokens");
  CHECK(limits[1].remaining == 499'000);
}

TEST_CASE("OpenRouter's bare headers are requests, reset in epoch milliseconds", "[probe]") {
  const auto limits = read({{"x-ratelimit-limit", "20"},
                            {"x-ratelimit-remaining", "3"},
                            {"x-ratelimit-reset", "1777593630000"}});
  REQUIRE(limits.size() == 1);
  CHECK(limits[0].resource == "requests");
  CHECK(limits[0].reset_at == kLimitsNow + 30s);
}

TEST_CASE("what remains is told where the limit is not", "[probe]") {
  const auto azure = read({{"x-ratelimit-remaining-requests", "5"},
                           {"x-ratelimit-limit-tokens", "1000"},
                           {"x-ratelimit-remaining-tokens", "900"}});
  REQUIRE(azure.size() == 2);
  CHECK(azure[0].resource == "requests");
  CHECK(azure[0].limit == 0);
  CHECK(azure[0].remaining == 5);
  CHECK(azure[1].limit == 1'000);
}

TEST_CASE("of LiteLLM's limits by model the one that is nearest counts", "[probe]") {
  const auto limits = read({{"x-litellm-key-remaining-requests-gpt-4.1-mini", "40"},
                            {"x-litellm-key-remaining-requests-claude", "7"},
                            {"x-litellm-key-remaining-requests-o3", "None"},
                            {"x-litellm-key-remaining-tokens-claude", "None"}});
  REQUIRE(limits.size() == 1);
  CHECK(limits[0].resource == "requests");
  CHECK(limits[0].limit == 0);
  CHECK(limits[0].remaining == 7);
  // Where the proxy states the key's own limits, these are the whole statement.
  const auto own = read({{"x-ratelimit-limit-requests", "100"},
                         {"x-ratelimit-remaining-requests", "60"},
                         {"x-litellm-key-remaining-requests-claude", "7"}});
  REQUIRE(own.size() == 1);
  CHECK(own[0].remaining == 60);
}

TEST_CASE("sentinels and half statements are no rate limit", "[probe]") {
  CHECK(read({}).empty());
  CHECK(read({{"x-ratelimit-limit-tokens", "-1"}, {"x-ratelimit-remaining-tokens", "-1"}}).empty());
  CHECK(read({{"x-ratelimit-limit-tokens", "None"}, {"x-ratelimit-remaining-tokens", "None"}})
            .empty());
  CHECK(read({{"x-ratelimit-limit-tokens", "0"}, {"x-ratelimit-remaining-tokens", "0"}}).empty());
  CHECK(read({{"x-ratelimit-remaining", "5"}}).empty());  // of what?
}
