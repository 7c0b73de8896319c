#pragma once

// POST /api/v1/pools/{id}/next and /report: one key for one request, and what became of it. Like
// GET active, `next` hands out a secret, to the same role under the same confinement.

#include <string>

#include "api/control.hpp"
#include "api/routes.hpp"
#include "net/server.hpp"

namespace keyherd::api {

net::Answer next_key(const ApiParts& parts, const net::ServerRequest& request);
net::Answer report_use(const ApiParts& parts, const net::ServerRequest& request);

// {"exclude":["k1"]}; an empty body excludes nothing. Error: invalid.
Status read_exclude(const std::string& body, std::vector<std::string>& exclude);
// {"key","status",…}; a report without "ts" is of now. Error: invalid, naming the field.
Result<UseReport> read_report(const std::string& body, WallTime now);

}  // namespace keyherd::api
