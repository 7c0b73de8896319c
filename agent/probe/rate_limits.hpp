#pragma once

// Rate-limit headers of all providers, which come in three families. Inside this folder only.

#include <vector>

#include "base/clock.hpp"
#include "model/evidence.hpp"
#include "net/transport.hpp"

namespace keyherd::probe {

// One entry a resource of which what remains is stated; the limit is 0 where it is not. "None", -1
// and other sentinels are no statement, and unsay the entry.
//   x-ratelimit-{limit,remaining,reset}-{requests,tokens}                            OpenAI and kin
//   anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,…}       Anthropic
//   x-ratelimit-{limit,remaining,reset}: requests                                    OpenRouter
//   x-litellm-key-remaining-{requests,tokens}-MODEL, of which the least counts        LiteLLM
std::vector<model::RateLimit> read_rate_limits(const net::HttpResponse& response, WallTime now);

}  // namespace keyherd::probe
