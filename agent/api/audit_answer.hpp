#pragma once

// GET /api/v1/audit and /api/v1/timeline: what was decided and done, and what happened around it.

#include <nlohmann/json_fwd.hpp>

#include "api/auth.hpp"
#include "api/control.hpp"
#include "api/routes.hpp"
#include "net/server.hpp"

namespace keyherd::api {

// ?from= and ?to=, as parse_usage_time reads them. Error: invalid.
Result<UsageRange> range_of(const ApiParts& parts, const net::ServerRequest& request);

net::Answer audit_answer(const ApiParts& parts, const Principal& who,
                         const net::ServerRequest& request);
net::Answer timeline_answer(const ApiParts& parts, const Principal& who,
                            const net::ServerRequest& request);

// {"seq","at","actor","act",…,"text"}, without what is empty.
nlohmann::json audit_json(const model::AuditEntry& entry);

}  // namespace keyherd::api
