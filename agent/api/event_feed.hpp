#pragma once

// GET /api/v1/events: the event log as server-sent events (the HTML standard's EventSource).

#include "api/event_log.hpp"
#include "api/routes.hpp"
#include "net/server.hpp"

namespace keyherd::api {

// From now on, or from behind the event that Last-Event-ID (or ?last_event_id=) names. When that is
// gone, or of an earlier run, the first event is `reset`: what the client knows is old. Ends when
// the rules of access change, so that everybody has to come in again.
net::Answer event_feed(const ApiParts& parts, const net::ServerRequest& request);

}  // namespace keyherd::api
