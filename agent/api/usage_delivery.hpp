#pragma once

// POST /api/v1/usage: lines of a usage log that come by HTTP.

#include "api/auth.hpp"
#include "api/routes.hpp"
#include "net/server.hpp"

namespace keyherd::api {

inline constexpr std::size_t kMostDeliveredBytes = 8U << 20U;

net::Answer deliver_usage(const ApiParts& parts, const Principal& who,
                          const net::ServerRequest& request);

}  // namespace keyherd::api
