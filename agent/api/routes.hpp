#pragma once

// The agent's HTTP surface: /metrics, health, the status page and /api/v1, each with the role it
// asks for.

#include <memory>
#include <string>
#include <vector>

#include "api/auth.hpp"
#include "api/control.hpp"
#include "api/event_log.hpp"
#include "base/clock.hpp"
#include "metrics/exposition.hpp"
#include "net/server.hpp"

namespace keyherd::api {

struct ApiParts {
  Control& control;
  metrics::Exposition& exposition;
  const Clock& clock;
  // The current rules of access; called at each request.
  std::function<std::shared_ptr<const Access>()> access;
  const EventLog& events;
};

// Everything that parts refer to outlives the server.
std::vector<net::Route> make_routes(const ApiParts& parts);
// Fills guard, error_body and observe of the options.
void install_hooks(net::ServerOptions& options, const ApiParts& parts);

// One row a route: what documentation, tests and the guard share.
struct RouteInfo {
  std::string_view method;
  std::string_view pattern;
  std::optional<model::Role> role;  // none: open to everybody
  std::string_view summary;
};
const std::vector<RouteInfo>& route_table();

}  // namespace keyherd::api
