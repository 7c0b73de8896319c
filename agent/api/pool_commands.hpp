#pragma once

// What people command of a pool: POST /api/v1/pools/{id}/rotate, freeze, unfreeze and drill. The
// pool is known, and whoever asks may see it; `actor` goes into journal and log.

#include <string>

#include "api/routes.hpp"
#include "net/server.hpp"

namespace keyherd::api {

net::Answer rotate_pool(const ApiParts& parts, const std::string& actor,
                        const net::ServerRequest& request);
net::Answer freeze_pool(const ApiParts& parts, const std::string& actor,
                        const net::ServerRequest& request);
net::Answer unfreeze_pool(const ApiParts& parts, const std::string& actor,
                          const net::ServerRequest& request);
net::Answer start_drill(const ApiParts& parts, const std::string& actor,
                        const net::ServerRequest& request);
// The pool's drill under way, or its last one if no other pool has had one since.
net::ServerResponse last_drill(const model::PoolView& view);

}  // namespace keyherd::api
