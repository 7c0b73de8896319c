#pragma once

// A client's own request to a provider, and what its answer says of the key: for `keyherd call`.
// Pure functions; any thread.

#include <optional>
#include <string>

#include "base/secret.hpp"
#include "model/provider.hpp"
#include "net/transport.hpp"
#include "probe/classifier.hpp"

namespace keyherd::probe {

// A POST of the body with all that the provider wants beside it. `path` stands behind base_url (a
// "/v1" that both have is there once); without one it is the path of the type's chat requests. The
// secret is borrowed. Error invalid: a type without chats, or one that this version does not know.
Result<net::HttpRequest> client_request(const model::Provider& provider, const Secret& secret,
                                        const std::optional<std::string>& path, std::string body);

// ok for every 2xx that is no error inside; of those in the shape of a chat's answer with tokens.
// Precondition: client_request made a request for the provider.
Classified judge_answer(const model::Provider& provider, const net::HttpResponse& response,
                        WallTime now);

// Tokens that an answer tells of: a chat's JSON, or the last event of a stream that has them.
Reading used_tokens(const model::Provider& provider, std::string_view body);

}  // namespace keyherd::probe
