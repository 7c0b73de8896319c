#include "probe/rate_limits.hpp"

#include <algorithm>
#include <array>
#include <optional>
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
constexpr std::array<Family, 9> kFamilies{{
    {"requests", "x-ratelimit-", "-requests"},
    {"tokens", "x-ratelimit-", "-tokens"},
    {"requests", "x-ratelimit-", "-req-minute"},
    {"tokens", "x-ratelimit-", "-tokens-minute"},
    {"requests", "anthropic-ratelimit-requests-", ""},
    {"tokens", "anthropic-ratelimit-tokens-", ""},
    {"input_tokens", "anthropic-ratelimit-input-tokens-", ""},
    {"output_tokens", "anthropic-ratelimit-output-tokens-", ""},
    {"requests", "x-ratelimit-", ""},
}};

// LiteLLM states what is left of each model's limit, the model's name at the end of the header's.
void add_least_of_models(const net::HttpResponse& response, std::string_view resource,
                         std::vector<model::RateLimit>& limits) {
  if (std::ranges::find(limits, resource, &model::RateLimit::resource) != limits.end())
    return;
  const std::string before = "x-litellm-key-remaining-" + std::string(resource) + "-";
  std::optional<std::int64_t> least;
  for (auto at = response.headers.lower_bound(before);
       at != response.headers.end() && at->first.starts_with(before); ++at) {
    if (const auto remaining = parse_int(trim(at->second)))
      least = least ? std::min(*least, *remaining) : *remaining;
  }
  if (least)
    limits.push_back({std::string(resource), 0, *least, std::nullopt});
}

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
    const bool unstated = header("limit").empty() && !family.after.empty();
    if (!remaining || (limit ? *limit == 0 : !unstated))
      continue;
    limits.push_back({std::string(family.resource), limit.value_or(0), *remaining,
                      parse_reset_time(header("reset"), now, ResetUnit::seconds, skew)});
  }
  for (const std::string_view resource : {"requests", "tokens"})
    add_least_of_models(response, resource, limits);
  return limits;
}

}  // namespace keyherd::probe
