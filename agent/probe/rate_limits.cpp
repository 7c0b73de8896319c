#include "probe/rate_limits.hpp"

#include <array>
#include <string>

#include "base/text.hpp"
#include "probe/reset_time.hpp"

namespace keyherd::probe {
namespace {

struct Family {
  std::string_view resource;
  std::string_view before;  // header name up to "limit", "remaining" or "reset"
  std::string_view after;
};
constexpr std::array<Family, 7> kFamilies{{
    {"requests", "x-ratelimit-", "-requests"},
    {"tokens", "x-ratelimit-", "-tokens"},
    {"requests", "anthropic-ratelimit-requests-", ""},
    {"tokens", "anthropic-ratelimit-tokens-", ""},
    {"input_tokens", "anthropic-ratelimit-input-tokens-", ""},
    {"output_tokens", "anthropic-ratelimit-output-tokens-", ""},
    {"requests", "x-ratelimit-", ""},
}};

}  // namespace

std::vector<model::RateLimit> read_rate_limits(const net::HttpResponse& response, WallTime now) {
  std::vector<model::RateLimit> limits;
  const auto skew = clock_skew(response, now);
  for (const Family& family : kFamilies) {
    const auto header = [&](std::string_view part) {
      return trim(response.header(std::string(family.before) + std::string(part) +
                                  std::string(family.after)));
    };
    const auto limit = parse_int(header("limit"));
    const auto remaining = parse_int(header("remaining"));
    if (!limit || !remaining || *limit == 0)
      continue;
    limits.push_back({std::string(family.resource), *limit, *remaining,
                      parse_reset_time(header("reset"), now, ResetUnit::seconds, skew)});
  }
  return limits;
}

}  // namespace keyherd::probe
