#include "api/routes.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace keyherd::api;
using nlohmann::json;

namespace {

template <class T>
Pending<T> ready(Result<T> value) {
  return [value]() -> std::optional<Result<T>> { return value; };
}

// An agent of one key and one pool that does as it is told.
class FakeControl final : public Control {
 public:
  FakeControl() {
    auto snapshot = std::make_shared<model::Snapshot>();
    auto key = std::make_shared<model::KeyView>();
    key->key.id = "k1";
    snapshot->keys.push_back(key);
    auto pool = std::make_shared<model::PoolView>();
    pool->pool.id = "prod";
    pool->pool.keys = {"k1"};
    snapshot->pools.push_back(pool);
    snapshot->agent.ready = true;
    snapshot_ = snapshot;
  }
  model::SnapshotPtr snapshot() const override { return snapshot_; }
  Result<ActiveKey> active(const std::string&) const override {
    return ActiveKey{"prod",     "k1", std::make_shared<const Secret>("sk-the-secret"),
                     generation, {},   {}};
  }
  Pending<model::Rotation> rotate(RotateCommand command) override {
    last = command;
    model::Rotation rotation;
    rotation.state =
        command.to == "bad" ? model::RotationState::refused : model::RotationState::committed;
    return ready<model::Rotation>(rotation);
  }
  Pending<model::Evidence> probe(const std::string&) override {
    return ready<model::Evidence>(model::Evidence{});
  }
  Pending<model::KeyHealth> pause(const std::string&, const std::string&) override {
    return ready<model::KeyHealth>(model::KeyHealth{});
  }
  Pending<model::KeyHealth> resume(const std::string&, const std::string&) override {
    return ready<model::KeyHealth>(model::KeyHealth{});
  }
  Pending<model::PoolView> freeze(const std::string& pool, model::Freeze freeze) override {
    model::PoolView view;
    view.pool.id = pool;
    view.freeze = std::move(freeze);
    return ready<model::PoolView>(view);
  }
  Pending<model::PoolView> unfreeze(const std::string& pool, const std::string&) override {
    model::PoolView view;
    view.pool.id = pool;
    return ready<model::PoolView>(view);
  }
  Pending<std::vector<std::string>> reload() override {
    return ready<std::vector<std::string>>(fail(ErrorCode::invalid, "keyherd.toml:1:1: nonsense"));
  }
  Pending<std::vector<model::UsageRow>> usage(UsageRange) override {
    return ready<std::vector<model::UsageRow>>(std::vector<model::UsageRow>{});
  }
  Pending<std::vector<model::Rotation>> rotations(const std::string&, std::size_t) override {
    return ready<std::vector<model::Rotation>>(std::vector<model::Rotation>{});
  }
  std::vector<Firing> schedule(WallTime, std::size_t) const override { return {}; }

  std::int64_t generation = 3;
  RotateCommand last;

 private:
  model::SnapshotPtr snapshot_;
};

struct Surface {
  test::ManualClock clock;
  FakeControl control;
  LogCounts counts;
  metrics::Exposition exposition{{"1", "r", "c"}, counts, clock};
  std::shared_ptr<Access> access = std::make_shared<Access>();
  ApiParts parts{control, exposition, clock, [this] { return access; }};
  std::vector<net::Route> routes = make_routes(parts);
  net::ServerOptions options;

  Surface() { install_hooks(options, parts); }

  // What the server does: the guard first, then the handler.
  net::Answer ask(const std::string& method, const std::string& pattern,
                  std::vector<std::string> captures = {}, std::string body = "",
                  std::multimap<std::string, std::string> headers = {},
                  std::multimap<std::string, std::string> query = {}) {
    net::ServerRequest request;
    request.method = method;
    request.path = pattern;
    request.captures = std::move(captures);
    request.body = std::move(body);
    request.headers = std::move(headers);
    request.headers.emplace("host", "127.0.0.1:9925");
    request.query = std::move(query);
    for (const net::Route& route : routes) {
      if (route.method != method || route.pattern != pattern)
        continue;
      if (auto refused = options.guard(request, route))
        return std::move(*refused);
      return route.handler(request);
    }
    FAIL("no route " << method << " " << pattern);
    throw std::logic_error("unreachable");
  }
  std::multimap<std::string, std::string> token(const char* value) {
    return {{"authorization", std::string("Bearer ") + value}};
  }
  void add_token(const char* value, model::Role role) {
    access->tokens.add(Secret(value), {role, {}});
  }
};

}  // namespace

TEST_CASE("a pool is frozen until a time to come, for a reason") {
  Surface surface;
  surface.add_token("operate-token-012345", model::Role::operate);
  const auto who = surface.token("operate-token-012345");
  const auto freeze = [&](std::string body) {
    return surface.ask("POST", "/api/v1/pools/{id}/freeze", {"prod"}, std::move(body), who);
  };
  const auto frozen = freeze(R"({"until":"2026-05-01T02:00:00Z","reason":"migration"})");
  REQUIRE(frozen.response);
  CHECK(frozen.response->status == 200);
  const json view = json::parse(frozen.response->body);
  CHECK(view["freeze"]["until"] == "2026-05-01T02:00:00Z");
  CHECK(view["freeze"]["reason"] == "migration");
  CHECK(freeze("").response->status == 200);
  CHECK(freeze(R"({"until":"2026-04-01T00:00:00Z"})").response->status == 400);
  CHECK(freeze(R"({"until":"tomorrow"})").response->status == 400);
  CHECK(freeze(R"({"till":"2026-05-01T02:00:00Z"})").response->status == 400);
  const auto unfrozen = surface.ask("POST", "/api/v1/pools/{id}/unfreeze", {"prod"}, "", who);
  CHECK(json::parse(unfrozen.response->body)["freeze"].is_null());
  CHECK(surface.ask("POST", "/api/v1/pools/{id}/freeze", {"nowhere"}, "", who).response->status ==
        404);
}

TEST_CASE("without tokens everybody on loopback may read, nobody may change or get a secret") {
  Surface surface;
  CHECK(surface.ask("GET", "/metrics").response->status == 200);
  CHECK(surface.ask("GET", "/api/v1/status").response->status == 200);
  CHECK(surface.ask("GET", "/-/ready").response->status == 200);
  const auto refused = surface.ask("POST", "/api/v1/pools/{id}/rotate", {"prod"});
  CHECK(refused.response->status == 403);
  CHECK(refused.response->body.find("[[web.tokens]]") != std::string::npos);
  CHECK(surface.ask("GET", "/api/v1/pools/{id}/active", {"prod"}).response->status == 403);
}

TEST_CASE("with tokens every route asks for its role") {
  Surface surface;
  surface.add_token("metrics-token-012345", model::Role::metrics);
  surface.add_token("consume-token-012345", model::Role::consume);
  surface.add_token("operate-token-012345", model::Role::operate);
  CHECK(surface.ask("GET", "/metrics").response->status == 401);
  CHECK(surface.ask("GET", "/metrics", {}, "", surface.token("metrics-token-012345"))
            .response->status == 200);
  CHECK(surface.ask("GET", "/api/v1/status", {}, "", surface.token("metrics-token-012345"))
            .response->status == 403);
  CHECK(surface.ask("GET", "/-/healthy").response->status == 200);
  const auto active = surface.ask("GET", "/api/v1/pools/{id}/active", {"prod"}, "",
                                  surface.token("consume-token-012345"));
  CHECK(active.response->status == 200);
  CHECK((*parse_json(active.response->body))["secret"] == "sk-the-secret");
  CHECK(surface
            .ask("POST", "/api/v1/pools/{id}/rotate", {"prod"}, "",
                 surface.token("consume-token-012345"))
            .response->status == 403);
  CHECK(surface
            .ask("POST", "/api/v1/pools/{id}/rotate", {"prod"}, "",
                 surface.token("operate-token-012345"))
            .response->status == 200);
  CHECK(surface.ask("POST", "/-/reload", {}, "", surface.token("operate-token-012345"))
            .response->status == 403);
}

TEST_CASE("a stranger's Host and a cross-site request are refused") {
  Surface surface;
  net::ServerRequest request;
  request.method = "GET";
  request.headers.emplace("host", "evil.example");
  CHECK(surface.options.guard(request, surface.routes.front())->status == 421);
  surface.add_token("operate-token-012345", model::Role::operate);
  auto headers = surface.token("operate-token-012345");
  headers.emplace("sec-fetch-site", "cross-site");
  CHECK(surface.ask("POST", "/api/v1/keys/{id}/pause", {"k1"}, "", headers).response->status ==
        403);
}

TEST_CASE("a rotate command is read strictly") {
  Surface surface;
  surface.add_token("operate-token-012345", model::Role::operate);
  const auto rotate = [&](const char* body) {
    return surface
        .ask("POST", "/api/v1/pools/{id}/rotate", {"prod"}, body,
             surface.token("operate-token-012345"))
        .response->status;
  };
  CHECK(rotate(R"({"to":"k2","reason":"leak","dry_run":true})") == 200);
  CHECK(surface.control.last.to == "k2");
  CHECK(surface.control.last.dry_run);
  CHECK(surface.control.last.actor == "api:operate");
  CHECK(rotate(R"({"to":"bad"})") == 409);
  for (const char* bad : {"{", "[]", R"({"to":1})", R"({"where":"k2"})"})
    CHECK(rotate(bad) == 400);
}

TEST_CASE("a long poll waits for another generation and ends with 304") {
  Surface surface;
  surface.add_token("consume-token-012345", model::Role::consume);
  const auto ask = [&](const char* generation, const char* wait) {
    return surface.ask("GET", "/api/v1/pools/{id}/active", {"prod"}, "",
                       surface.token("consume-token-012345"),
                       {{"generation", generation}, {"wait", wait}});
  };
  CHECK(ask("2", "30s").response->status == 200);
  const auto parked = ask("3", "30s");
  REQUIRE(parked.park);
  CHECK(parked.park->deadline == surface.clock.now().steady + std::chrono::seconds(30));
  CHECK_FALSE(parked.park->poll());
  CHECK(parked.park->at_deadline().status == 304);
  surface.control.generation = 4;
  CHECK(parked.park->poll()->status == 200);
  CHECK(ask("x", "30s").response->status == 400);
  CHECK(ask("3", "soon").response->status == 400);
}

TEST_CASE("what does not exist is 404, a bad reload is 400 with every problem") {
  Surface surface;
  surface.add_token("admin-token-01234567", model::Role::admin);
  const auto token = surface.token("admin-token-01234567");
  CHECK(surface.ask("GET", "/api/v1/keys/{id}", {"nobody"}, "", token).response->status == 404);
  CHECK(surface.ask("GET", "/api/v1/pools/{id}", {"nobody"}, "", token).response->status == 404);
  CHECK(surface.ask("GET", "/api/v1/keys/{id}/explain", {"k1"}, "", token).response->status == 200);
  const auto reload = surface.ask("POST", "/-/reload", {}, "", token);
  CHECK(reload.response->status == 400);
  CHECK(reload.response->body.find("keyherd.toml:1:1") != std::string::npos);
}

TEST_CASE("every route of the table is served and has a summary") {
  Surface surface;
  CHECK(route_table().size() == surface.routes.size());
  for (const RouteInfo& info : route_table())
    CHECK_FALSE(info.summary.empty());
}
