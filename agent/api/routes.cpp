#include "api/routes.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "api/audit_answer.hpp"
#include "api/bodies.hpp"
#include "api/dispensing.hpp"
#include "api/event_feed.hpp"
#include "api/guard.hpp"
#include "api/listing.hpp"
#include "api/pool_commands.hpp"
#include "api/responses.hpp"
#include "api/scrape_answer.hpp"
#include "api/transfer.hpp"
#include "api/usage_answer.hpp"
#include "api/usage_delivery.hpp"
#include "api/views.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"
#include "ui/page.hpp"

namespace keyherd::api {

using model::Role;
using net::Answer;
using net::ServerRequest;
using net::ServerResponse;
using nlohmann::json;

namespace {

constexpr std::size_t kCommandBody = 65'536;
constexpr std::chrono::seconds kLongestWait{60};

ServerResponse plain(int status, std::string body) {
  ServerResponse response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

ServerResponse respond_usage(const UsageAnswer& answer) {
  ServerResponse response;
  response.body = answer.body;
  response.headers.emplace_back("Cache-Control", "no-store");
  if (!answer.next_query.empty())
    response.headers.emplace_back("Link",
                                  "</api/v1/usage?" + answer.next_query + ">; rel=\"next\"");
  return response;
}

// One handler method a route; shared by all workers, so everything it holds is immutable or safe.
class Api {
 public:
  explicit Api(const ApiParts& parts) : parts_(parts) {}

  Answer metrics(const ServerRequest& request) const {
    return scrape_answer(request, parts_.exposition.scrape(parts_.control.snapshot()));
  }

  Answer healthy(const ServerRequest&) const { return plain(200, "Keyherd is healthy.\n"); }

  Answer ready(const ServerRequest&) const {
    const auto snapshot = parts_.control.snapshot();
    if (snapshot->agent.ready)
      return plain(200, "Keyherd is ready.\n");
    return plain(503, "Keyherd is not ready: " + snapshot->agent.not_ready_because + "\n");
  }

  Answer reload(const ServerRequest& request) const {
    return when_ready<std::vector<std::string>>(parts_.clock, parts_.control.reload(actor(request)),
                                                [](const std::vector<std::string>& lines) {
                                                  return respond(200, {{"changes", lines}});
                                                });
  }

  Answer page(const ServerRequest& request) const { return asset(request, "index.html"); }
  Answer page_file(const ServerRequest& request) const {
    return asset(request, request.captures.at(0));
  }

  Answer whoami(const ServerRequest& request) const {
    const Principal& who = caller_of(request);
    return respond(
        200, {{"role", model::to_string(who.role)}, {"pools", who.pools}, {"name", who.name}});
  }

  Answer status(const ServerRequest& request) const {
    return respond_tagged(request, status_json(*parts_.control.snapshot(), caller_of(request)));
  }

  Answer keys(const ServerRequest& request) const {
    return respond_list(request,
                        list_keys(*parts_.control.snapshot(), caller_of(request), request.query));
  }

  Answer key(const ServerRequest& request) const { return with_key(request, key_json); }

  Answer explain(const ServerRequest& request) const {
    if (visible_key(*parts_.control.snapshot(), request) == nullptr)
      return no_key(request);
    std::optional<WallTime> at;
    if (const auto text = request.parameter("at")) {
      const auto time = parse_rfc3339(*text);
      if (!time)
        return respond_error(time.error());
      at = *time;
    }
    return when_ready<model::KeyStory>(
        parts_.clock, parts_.control.explain(request.captures.at(0), at),
        [at, &control = parts_.control](const model::KeyStory& story) {
          const auto snapshot = control.snapshot();
          const model::KeyView* view = model::find_key(*snapshot, story.key);
          return respond(200, at || view == nullptr ? story_json(story)
                                                    : explain_json(*snapshot, *view, story));
        });
  }

  Answer probe(const ServerRequest& request) const {
    return command_on_key<model::Evidence>(
        request, [&](const std::string& id) { return parts_.control.probe(id, actor(request)); },
        evidence_json);
  }
  Answer pause(const ServerRequest& request) const {
    return command_on_key<model::KeyHealth>(
        request, [&](const std::string& id) { return parts_.control.pause(id, actor(request)); },
        health_json);
  }
  Answer resume(const ServerRequest& request) const {
    return command_on_key<model::KeyHealth>(
        request, [&](const std::string& id) { return parts_.control.resume(id, actor(request)); },
        health_json);
  }

  Answer pools(const ServerRequest& request) const {
    return respond_list(request,
                        list_pools(*parts_.control.snapshot(), caller_of(request), request.query));
  }

  Answer pool(const ServerRequest& request) const {
    const auto snapshot = parts_.control.snapshot();
    const model::PoolView* view = visible_pool(*snapshot, request);
    return view != nullptr ? respond_tagged(request, pool_json(*view)) : no_pool(request);
  }

  // Answers at once unless the caller names the generation it has and is willing to wait for
  // another.
  Answer active(const ServerRequest& request) const {
    const std::string id = request.captures.at(0);
    if (!has_visible_pool(request))
      return no_pool(request);
    const auto generation = parse_int(request.parameter("generation").value_or(""));
    const auto wait = parse_duration(request.parameter("wait").value_or("0s"));
    if (!wait || (request.parameter("generation") && !generation))
      return respond_error(400, "invalid", "use ?generation=N&wait=30s");
    const auto look = [this, id, generation,
                       access = parts_.access()]() -> std::optional<ServerResponse> {
      // Whoever may no longer ask must not be answered because the question is an old one.
      if (parts_.access() != access)
        return unchanged();
      const auto active = parts_.control.active(id);
      if (!active)
        return respond_error(active.error());
      if (generation && active->generation == *generation)
        return std::nullopt;
      return respond(200, active_json(*active));
    };
    if (auto ready = look())
      return std::move(*ready);
    const auto deadline =
        parts_.clock.now().steady + std::min<std::chrono::nanoseconds>(*wait, kLongestWait);
    return net::Park{deadline, look, unchanged, true};
  }

  Answer next(const ServerRequest& request) const {
    return has_visible_pool(request) ? next_key(parts_, request) : no_pool(request);
  }
  Answer report(const ServerRequest& request) const {
    return has_visible_pool(request) ? report_use(parts_, request) : no_pool(request);
  }

  // What people command of a pool: pool_commands.hpp.
  template <net::Answer (*kCommand)(const ApiParts&, const std::string& actor,
                                    const ServerRequest&)>
  Answer command_pool(const ServerRequest& request) const {
    return has_visible_pool(request) ? kCommand(parts_, actor(request), request) : no_pool(request);
  }
  Answer drill(const ServerRequest& request) const {
    const auto snapshot = parts_.control.snapshot();
    const model::PoolView* view = visible_pool(*snapshot, request);
    return view != nullptr ? last_drill(*view) : no_pool(request);
  }

  Answer rotations(const ServerRequest& request) const {
    constexpr std::size_t kAllKept = 10'000;
    return when_ready<std::vector<model::Rotation>>(
        parts_.clock, parts_.control.rotations(request.parameter("pool").value_or(""), kAllKept),
        [request](const std::vector<model::Rotation>& rows) {
          return respond_list(request, list_rotations(rows, caller_of(request), request.query));
        });
  }

  Answer events(const ServerRequest& request) const { return event_feed(parts_, request); }
  Answer audit(const ServerRequest& request) const {
    return audit_answer(parts_, caller_of(request), request);
  }
  Answer timeline(const ServerRequest& request) const {
    return timeline_answer(parts_, caller_of(request), request);
  }

  Answer schedule(const ServerRequest& request) const {
    const auto count = parse_int(request.parameter("count").value_or("10"));
    const auto from = request.parameter("from") ? parse_rfc3339(*request.parameter("from"))
                                                : Result<WallTime>(parts_.clock.now().wall);
    if (!count || *count < 1 || *count > 1'000 || !from)
      return respond_error(400, "invalid", "use ?from=<RFC 3339>&count=1..1000");
    json list = json::array();
    const Principal who = caller_of(request);
    for (const auto& firing : parts_.control.schedule(*from, static_cast<std::size_t>(*count))) {
      if (who.may_see_pool(firing.schedule))
        list.push_back(firing_json(firing));
    }
    return respond(200, list);
  }

  Answer usage(const ServerRequest& request) const {
    const auto asked =
        parse_usage_request(request.query, parts_.control.timezone(), parts_.clock.now().wall);
    if (!asked)
      return respond_error(asked.error());
    const auto make = [asked = *asked, snapshot = parts_.control.snapshot(),
                       who = caller_of(request)](const ReadUsage& read) {
      return make_usage_answer(asked, *snapshot, who, read);
    };
    return when_ready<UsageAnswer>(parts_.clock, parts_.control.usage(make), respond_usage);
  }

  Answer unaccounted(const ServerRequest& request) const {
    constexpr std::chrono::hours kDefaultRange{24};
    auto range = range_of(parts_, request);
    if (!range)
      return respond_error(range.error());
    if (!range->from)
      range->from = range->to.value_or(parts_.clock.now().wall) - kDefaultRange;
    const auto snapshot = parts_.control.snapshot();
    const Principal who = caller_of(request);
    return when_ready<std::vector<model::WalletDrain>>(
        parts_.clock, parts_.control.drains(*range),
        [snapshot, who](std::vector<model::WalletDrain> drains) {
          return respond(200, drains_json(visible_drains(*snapshot, who, std::move(drains))));
        });
  }

  Answer import_keys(const ServerRequest& request) const {
    return api::import_keys(parts_, actor(request), request);
  }
  Answer export_keys(const ServerRequest& request) const {
    return api::export_keys(parts_, actor(request), request);
  }

  Answer deliver_usage(const ServerRequest& request) const {
    return api::deliver_usage(parts_, caller_of(request), request);
  }

 private:
  static ServerResponse asset(const ServerRequest& request, std::string_view name) {
    const ui::Asset* found = ui::find_asset(name);
    if (found == nullptr)
      return respond_error(404, "not_found", "the page has no such file");
    ServerResponse response;
    response.content_type = ui::media_type(name);
    response.body = found->content;
    response.headers.emplace_back("Content-Security-Policy", std::string(ui::page_policy()));
    return tagged(request, std::move(response));
  }
  static ServerResponse unchanged() {
    ServerResponse response;
    response.status = 304;
    return response;
  }
  // "api:operate", "api:operate:alice".
  static std::string actor(const ServerRequest& request) {
    const Principal& who = caller_of(request);
    return "api:" + std::string(model::to_string(who.role)) +
           (who.name.empty() ? "" : ":" + who.name);
  }

  const model::PoolView* visible_pool(const model::Snapshot& snapshot,
                                      const ServerRequest& request) const {
    const std::string& id = request.captures.at(0);
    return caller_of(request).may_see_pool(id) ? model::find_pool(snapshot, id) : nullptr;
  }
  bool has_visible_pool(const ServerRequest& request) const {
    return visible_pool(*parts_.control.snapshot(), request) != nullptr;
  }
  static ServerResponse no_pool(const ServerRequest& request) {
    return respond_error(404, "not_found",
                         "no pool '" + printable(request.captures.at(0), 64) + "'");
  }

  const model::KeyView* visible_key(const model::Snapshot& snapshot,
                                    const ServerRequest& request) const {
    const std::string& id = request.captures.at(0);
    return may_see_key(snapshot, caller_of(request), id) ? model::find_key(snapshot, id) : nullptr;
  }
  static ServerResponse no_key(const ServerRequest& request) {
    return respond_error(404, "not_found",
                         "no key '" + printable(request.captures.at(0), 64) + "'");
  }
  template <class Render>
  Answer with_key(const ServerRequest& request, Render render) const {
    const auto snapshot = parts_.control.snapshot();
    const model::KeyView* view = visible_key(*snapshot, request);
    return view != nullptr ? respond_tagged(request, render(*view)) : no_key(request);
  }
  template <class T, class Ask, class Render>
  Answer command_on_key(const ServerRequest& request, Ask ask, Render render) const {
    if (visible_key(*parts_.control.snapshot(), request) == nullptr)
      return no_key(request);
    return when_ready<T>(parts_.clock, ask(request.captures.at(0)),
                         [render](const T& value) { return respond(200, render(value)); });
  }

  ApiParts parts_;
};

using Method = Answer (Api::*)(const ServerRequest&) const;

struct Row {
  RouteInfo info;
  std::size_t max_body;
  Method handler;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows{
      {{"GET", "/", std::nullopt, "Status page"}, 0, &Api::page},
      {{"GET", "/ui/{file}", std::nullopt, "The status page's files"}, 0, &Api::page_file},
      {{"GET", "/metrics", Role::metrics, "Prometheus metrics"}, 0, &Api::metrics},
      {{"GET", "/-/healthy", std::nullopt, "200 while the process lives"}, 0, &Api::healthy},
      {{"GET", "/-/ready", std::nullopt, "200 once state is restored and can be saved"},
       0,
       &Api::ready},
      {{"POST", "/-/reload", Role::admin, "Reload the configuration"}, kCommandBody, &Api::reload},
      {{"GET", "/api/v1/whoami", Role::metrics, "Who is asking"}, 0, &Api::whoami},
      {{"GET", "/api/v1/status", Role::read, "Everything on one page"}, 0, &Api::status},
      {{"GET", "/api/v1/keys", Role::read, "All keys"}, 0, &Api::keys},
      {{"GET", "/api/v1/keys/{id}", Role::read, "One key"}, 0, &Api::key},
      {{"GET", "/api/v1/keys/{id}/explain", Role::read,
        "Why a key is in its state; ?at=<RFC 3339>: why it was"},
       0,
       &Api::explain},
      {{"POST", "/api/v1/keys/{id}/probe", Role::operate, "Probe a key now"},
       kCommandBody,
       &Api::probe},
      {{"POST", "/api/v1/keys/{id}/pause", Role::operate, "Take a key out of service"},
       kCommandBody,
       &Api::pause},
      {{"POST", "/api/v1/keys/{id}/resume", Role::operate, "Put a key back"},
       kCommandBody,
       &Api::resume},
      {{"GET", "/api/v1/pools", Role::read, "All pools"}, 0, &Api::pools},
      {{"GET", "/api/v1/pools/{id}", Role::read, "One pool"}, 0, &Api::pool},
      {{"GET", "/api/v1/pools/{id}/active", Role::consume,
        "The key to use now; ?generation=N&wait=30s waits for another"},
       0,
       &Api::active},
      {{"POST", "/api/v1/pools/{id}/next", Role::consume,
        "A key for one request, by the pool's strategy; {\"exclude\":[…]}"},
       kCommandBody,
       &Api::next},
      {{"POST", "/api/v1/pools/{id}/report", Role::consume,
        "What became of a request: {\"key\",\"status\",\"input_tokens\",…}"},
       kCommandBody,
       &Api::report},
      {{"POST", "/api/v1/pools/{id}/rotate", Role::operate, "Switch to another key"},
       kCommandBody,
       &Api::command_pool<rotate_pool>},
      {{"POST", "/api/v1/pools/{id}/drill", Role::operate,
        "Treat a key as revoked and measure the failover; {\"key\",\"for\"}"},
       kCommandBody,
       &Api::command_pool<start_drill>},
      {{"GET", "/api/v1/pools/{id}/drill", Role::read, "The drill under way, or the last one"},
       0,
       &Api::drill},
      {{"POST", "/api/v1/pools/{id}/freeze", Role::operate, "Stop all automation of a pool"},
       kCommandBody,
       &Api::command_pool<freeze_pool>},
      {{"POST", "/api/v1/pools/{id}/unfreeze", Role::operate, "Let automation go on"},
       kCommandBody,
       &Api::command_pool<unfreeze_pool>},
      {{"GET", "/api/v1/rotations", Role::read, "The journal of rotations"}, 0, &Api::rotations},
      {{"GET", "/api/v1/events", Role::read, "What happens, as server-sent events"},
       0,
       &Api::events},
      {{"GET", "/api/v1/audit", Role::operate,
        "The audit log; ?from=&to=&pool=&key=&limit=, oldest first"},
       0,
       &Api::audit},
      {{"GET", "/api/v1/timeline", Role::read,
        "What happened to ?pool=ID or ?key=ID; ?from=&to=, else the last 6 hours"},
       0,
       &Api::timeline},
      {{"GET", "/api/v1/schedule", Role::read, "The next firings"}, 0, &Api::schedule},
      {{"GET", "/api/v1/usage", Role::read,
        "Accounting; ?by=key,model,day&from=&to=&timezone=&limit=, filters like &pool=prod"},
       0,
       &Api::usage},
      {{"GET", "/api/v1/usage/unaccounted", Role::read,
        "Balances that fell further than the logs explain; ?from=&to=, else the last 24 hours"},
       0,
       &Api::unaccounted},
      {{"POST", "/api/v1/import", Role::admin,
        "Add or change keys in bulk; ?dry_run=true shows what would change"},
       kMostImported,
       &Api::import_keys},
      {{"GET", "/api/v1/export", Role::admin,
        "All keys as an import takes them; ?with_secrets=true seals their secrets"},
       0,
       &Api::export_keys},
      {{"POST", "/api/v1/usage", Role::consume,
        "Count usage lines (NDJSON) in the format of a log; ?log=ID"},
       kMostDeliveredBytes,
       &Api::deliver_usage},
  };
  return kRows;
}

std::optional<Role> needed_role(const net::Route& route) {
  for (const Row& row : rows()) {
    if (row.info.method == route.method && row.info.pattern == route.pattern)
      return row.info.role;
  }
  return Role::admin;
}

}  // namespace

const std::vector<RouteInfo>& route_table() {
  static const std::vector<RouteInfo> kTable = [] {
    std::vector<RouteInfo> table;
    for (const Row& row : rows())
      table.push_back(row.info);
    return table;
  }();
  return kTable;
}

std::vector<net::Route> make_routes(const ApiParts& parts) {
  const auto api = std::make_shared<const Api>(parts);
  std::vector<net::Route> routes;
  for (const Row& row : rows())
    routes.push_back(net::Route{std::string(row.info.method), std::string(row.info.pattern),
                                row.max_body,
                                [api, method = row.handler](const ServerRequest& request) {
                                  return (*api.*method)(request);
                                }});
  return routes;
}

void install_hooks(net::ServerOptions& options, const ApiParts& parts) {
  const auto guard = std::make_shared<Guard>(Guard::Parts{
      parts.clock, parts.access, needed_role, [parts] { parts.exposition.count_auth_failure(); }});
  options.guard = [guard](ServerRequest& request, const net::Route& route, bool may_take_long) {
    return guard->admit(request, route, may_take_long);
  };
  options.headers = {{"X-Content-Type-Options", "nosniff"},
                     {"X-Frame-Options", "DENY"},
                     {"Referrer-Policy", "no-referrer"},
                     {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
                     {"Cache-Control", "no-store"}};
  options.error_body = [](int status, std::string_view code, std::string_view message) {
    return respond_error(status, code, message);
  };
  options.observe = [parts](std::string_view pattern, std::string_view method, int status,
                            std::chrono::nanoseconds duration) {
    parts.exposition.observe_http(pattern.empty() ? "none" : pattern, method, status, duration);
  };
}

}  // namespace keyherd::api
