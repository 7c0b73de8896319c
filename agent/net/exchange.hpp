#pragma once

// One request and its answer over an open Link. httplib writes the request and reads the answer;
// the caps and the deadline are ours. One thread at a time.

#include <optional>

#include "base/result.hpp"
#include "net/link.hpp"
#include "net/transport.hpp"
#include "net/waiting.hpp"

namespace keyherd::net {

struct ExchangeOutcome {
  // The answer, or why there is none.
  Result<HttpResponse> response;
  bool reusable = false;         // the connection can carry another request
  bool nothing_sent = false;     // the peer cannot have seen any of the request
  bool nothing_received = true;  // not a byte of an answer came
};

// headers are complete (credential included) and checked; url is the request's, parsed.
ExchangeOutcome exchange(Link& link, const UrlParts& url, const HttpRequest& request,
                         const std::vector<std::pair<std::string, std::string>>& headers,
                         const Bounds& bounds);

}  // namespace keyherd::net
