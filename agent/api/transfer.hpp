#pragma once

// POST /api/v1/import and GET /api/v1/export: keys in bulk.

#include <string>

#include "api/routes.hpp"
#include "net/server.hpp"

namespace keyherd::api {

inline constexpr std::size_t kMostImported = 16U << 20U;

net::Answer import_keys(const ApiParts& parts, const std::string& actor,
                        const net::ServerRequest& request);
net::Answer export_keys(const ApiParts& parts, const std::string& actor,
                        const net::ServerRequest& request);

}  // namespace keyherd::api
