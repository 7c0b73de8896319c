#include "api/routes.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/time_text.hpp"
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
    auto source = std::make_shared<model::SourceView>();
    source->log.id = "gateway";
    snapshot->sources.push_back(source);
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
  Pending<model::Evidence> probe(const std::string&, const std::string&) override {
    return ready<model::Evidence>(model::Evidence{});
  }
  Pending<model::KeyHealth> pause(const std::string&, const std::string&) override {
    return ready<model::KeyHealth>(model::KeyHealth{});
  }
  Pending<model::KeyHealth> resume(const std::string&, const std::string&) override {
    return ready<model::KeyHealth>(model::KeyHealth{});
  }
  Pending<model::KeyStory> explain(const std::string& key, std::optional<WallTime> at) override {
    asked_of = at;
    model::KeyStory story;
    story.key = key;
    story.state = model::KeyState::dead;
    return ready<model::KeyStory>(story);
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
  Pending<std::vector<model::AuditEntry>> audit(AuditQuestion question) override {
    audit_asked = question;
    std::vector<model::AuditEntry> entries(3);
    entries[0] = {.seq = 1, .actor = "api:admin", .act = model::AuditAct::frozen, .pool = "prod"};
    entries[1] = {.seq = 2, .act = model::AuditAct::refused, .pool = "other", .text = "no"};
    entries[2] = {.seq = 3, .act = model::AuditAct::started};
    return ready<std::vector<model::AuditEntry>>(entries);
  }
  Pending<std::vector<TimelineEvent>> timeline(TimelineQuestion question) override {
    timeline_asked = question;
    return ready<std::vector<TimelineEvent>>(
        std::vector<TimelineEvent>{{{}, "probe", "", "k1", "", "ok"}});
  }
  Pending<std::vector<std::string>> reload(const std::string& actor) override {
    reloader = actor;
    return ready<std::vector<std::string>>(fail(ErrorCode::invalid, "keyherd.toml:1:1: nonsense"));
  }
  Pending<UsageAnswer> usage(std::function<Result<UsageAnswer>(const ReadUsage&)> make) override {
    return ready<UsageAnswer>(make([](const UsageRange&, const UsageVisitor& visit) -> Status {
      for (const char* model : {"m", "n", "o"}) {
        model::UsageRow row{"k1", model, 0, {}};
        row.counts.requests = 1;
        KH_TRY(visit(row));
      }
      return {};
    }));
  }
  Pending<std::vector<model::WalletDrain>> drains(UsageRange range) override {
    asked = range;
    model::WalletDrain mine;
    mine.owner = "k1";
    mine.keys = {"k1"};
    mine.dropped = {{"USD", 5 * model::kNanosPerUsd}};
    mine.unaccounted = 2 * model::kNanosPerUsd;
    model::WalletDrain other = mine;
    other.owner = "group:g";
    other.keys = {"k1", "of-another-pool"};
    other.unaccounted.reset();
    return ready<std::vector<model::WalletDrain>>({{mine, other}});
  }
  std::string timezone() const override { return "Asia/Tokyo"; }
  Pending<std::vector<model::Rotation>> rotations(const std::string&, std::size_t) override {
    return ready<std::vector<model::Rotation>>(std::vector<model::Rotation>{});
  }
  std::vector<Firing> schedule(WallTime, std::size_t) const override { return {}; }
  Pending<HandedOut> next(const std::string& pool, std::vector<std::string> exclude) override {
    asked_pool = pool;
    excluded = std::move(exclude);
    HandedOut out;
    if (has_keys) {
      out.key = "k1";
      out.secret = std::make_shared<const Secret>("sk-the-secret");
      auto provider = std::make_shared<model::Provider>();
      provider->id = "main";
      provider->type = "openai_compat";
      provider->base_url = "https://host/v1";
      out.provider = provider;
    } else {
      out.why_none = "no key of pool prod may be handed out now: k1 is dead";
      out.ask_again = test::ManualClock().now().wall + std::chrono::milliseconds(12'300);
    }
    return ready<HandedOut>(out);
  }
  Pending<bool> report(const std::string& pool, UseReport report) override {
    asked_pool = pool;
    reported = std::move(report);
    if (lags)
      return ready<bool>(fail(ErrorCode::unavailable, "the state cannot be saved now"));
    return ready<bool>(true);
  }

  Pending<model::Drill> drill(DrillCommand command) override {
    drilled = command;
    if (command.key == "spare")
      return ready<model::Drill>(fail(ErrorCode::conflict, "it would hurt"));
    model::Drill drill;
    drill.pool = command.pool;
    drill.key = command.key;
    drill.actor = command.actor;
    return ready<model::Drill>(drill);
  }
  Pending<ImportReport> import_keys(ImportCommand command) override {
    imported = std::move(command);
    ImportReport report;
    report.added = {"k2"};
    report.changed = {{"k1", {"priority"}}};
    report.unchanged = 3;
    report.dry_run = imported.dry_run;
    return ready<ImportReport>(report);
  }
  Pending<std::string> export_keys(std::shared_ptr<const Secret> passphrase,
                                   const std::string&) override {
    return ready<std::string>(passphrase ? "{\"keys\":[],\"sealed\":{}}" : "{\"keys\":[]}");
  }

  DrillCommand drilled;
  ImportCommand imported;
  std::string asked_pool;
  std::vector<std::string> excluded;
  bool has_keys = true;
  UseReport reported;

  Pending<DeliveryReport> deliver_usage(std::string log, std::string lines) override {
    delivered = lines;
    if (lags)
      return ready<DeliveryReport>(fail(ErrorCode::unavailable, "the state cannot be saved"));
    DeliveryReport report;
    report.log = std::move(log);
    report.counts.records = 2;
    report.counts.skipped = 1;
    report.counts.rejected[static_cast<std::size_t>(model::RejectReason::bad_json)] = 3;
    report.samples = {"bad_json at byte 9 of the body"};
    return ready<DeliveryReport>(report);
  }

  std::string delivered;
  bool lags = false;
  std::int64_t generation = 3;
  RotateCommand last;
  AuditQuestion audit_asked;
  TimelineQuestion timeline_asked;
  std::string reloader;
  UsageRange asked;
  std::optional<WallTime> asked_of;

 private:
  model::SnapshotPtr snapshot_;
};

struct Surface {
  test::ManualClock clock;
  FakeControl control;
  LogCounts counts;
  metrics::Exposition exposition{{"1", "r", "c"}, counts, clock};
  std::shared_ptr<Access> access = std::make_shared<Access>();
  EventLog events;
  ApiParts parts{control, exposition, clock, [this] { return access; }, events};
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
      auto admission = options.guard(request, route, false);
      if (admission.kind == net::Admission::Kind::undecided)
        admission = options.guard(request, route, true);
      if (admission.kind == net::Admission::Kind::refused)
        return std::move(admission.refusal);
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
  CHECK(surface.options.guard(request, surface.routes.front(), false).refusal.status == 421);
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

TEST_CASE("a long poll ends when the rules of access change: its token may be withdrawn") {
  Surface surface;
  surface.add_token("consumer-token-0123", model::Role::consume);
  const net::Answer waiting =
      surface.ask("GET", "/api/v1/pools/{id}/active", {"prod"}, "",
                  surface.token("consumer-token-0123"), {{"generation", "3"}, {"wait", "30s"}});
  REQUIRE(waiting.park);
  CHECK(waiting.park->long_wait);
  CHECK_FALSE(waiting.park->poll());
  surface.access = std::make_shared<Access>();
  surface.control.generation = 4;
  const auto ended = waiting.park->poll();
  REQUIRE(ended);
  CHECK(ended->status == 304);
  CHECK(ended->body.empty());
}

TEST_CASE("events are fed in order, to whoever may see them, until the rules of access change") {
  Surface surface;
  surface.add_token("read-token-01234567", model::Role::read);
  surface.access->tokens.add(Secret("confined-token-0123"), {model::Role::read, {"other"}});
  const auto follow = [&](const char* token, std::string last = "") {
    auto headers = surface.token(token);
    if (!last.empty())
      headers.emplace("last-event-id", last);
    auto answer = surface.ask("GET", "/api/v1/events", {}, "", headers);
    REQUIRE(answer.response);
    REQUIRE(answer.response->feed);
    CHECK(answer.response->content_type == "text/event-stream");
    return answer.response->feed;
  };
  const auto next = [](const std::shared_ptr<net::Feed>& feed, bool quiet = false) {
    std::string piece;
    CHECK(feed->next(piece, quiet));
    return piece;
  };
  surface.events.add({{0, "key", "k1", "", R"({"n":1})"}});
  const auto all = follow("read-token-01234567");
  const auto some = follow("confined-token-0123");
  CHECK(next(all) == "retry: 2000\n: Keyherd\n\n");
  CHECK(next(some) == "retry: 2000\n: Keyherd\n\n");
  CHECK(next(all).empty());
  CHECK(next(all, true) == ": alive\n\n");
  surface.events.add({{0, "key", "k1", "", R"({"n":2})"},
                      {0, "pool", "", "prod", R"({"n":3})"},
                      {0, "quota", "", "", R"({"n":4})"},
                      {0, "provider", "", "", R"({"n":5})"}});
  const std::string told = next(all);
  CHECK_THAT(told, Catch::StartsWith("id: " + surface.events.id_of(2) +
                                     "\nevent: key\ndata: {\"n\":2}\n\n"));
  CHECK(std::count(told.begin(), told.end(), '{') == 4);
  CHECK(next(some) == "id: " + surface.events.id_of(5) + "\nevent: provider\ndata: {\"n\":5}\n\n");
  // Whoever comes back goes on; whoever was away too long is told.
  CHECK_THAT(next(follow("read-token-01234567", surface.events.id_of(4))),
             Catch::Contains("\"n\":5") && !Catch::Contains("\"n\":4"));
  CHECK_THAT(next(follow("read-token-01234567", "0badcafe-4")), Catch::Contains("event: reset"));
  surface.events.add(std::vector<Event>(EventLog::kMost + 1, Event{0, "agent", "", "", "{}"}));
  CHECK_THAT(next(all), Catch::Contains("event: reset"));
  surface.access = std::make_shared<Access>();
  std::string piece;
  CHECK_FALSE(all->next(piece, false));
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

TEST_CASE("unaccounted spending is shown to who may see all keys of the wallet") {
  Surface surface;
  surface.access->tokens.add(Secret("read-token-all-012345"), {model::Role::read, {}});
  surface.access->tokens.add(Secret("read-token-prod-01234"), {model::Role::read, {"prod"}});
  const auto ask = [&](const char* token, std::multimap<std::string, std::string> query = {}) {
    return *surface
                .ask("GET", "/api/v1/usage/unaccounted", {}, "", surface.token(token),
                     std::move(query))
                .response;
  };
  const auto all = *parse_json(ask("read-token-all-012345").body);
  REQUIRE(all.size() == 2);
  CHECK(all[0]["owner"] == "k1");
  CHECK(all[0]["unaccounted_usd"] == 2.0);
  CHECK(all[0]["balance_drops"][0]["amount"] == "5");
  CHECK(all[1]["unaccounted_usd"].is_null());
  CHECK(surface.control.asked.from == surface.clock.now().wall - std::chrono::hours(24));
  const auto mine = *parse_json(ask("read-token-prod-01234").body);
  REQUIRE(mine.size() == 1);
  CHECK(mine[0]["owner"] == "k1");
  CHECK(ask("read-token-all-012345", {{"from", "yesterday"}}).status == 400);
  ask("read-token-all-012345", {{"to", "2026-05-02T00:00:00Z"}});
  CHECK(surface.control.asked.from == *parse_rfc3339("2026-05-01T00:00:00Z"));
}

TEST_CASE("usage names the next page in a Link header, and its days are the agent's") {
  Surface surface;
  const auto ask = [&](std::multimap<std::string, std::string> query) {
    return *surface.ask("GET", "/api/v1/usage", {}, "", {}, std::move(query)).response;
  };
  const auto link_of = [](const net::ServerResponse& response) -> std::string {
    for (const auto& [name, value] : response.headers) {
      if (name == "Link")
        return value;
    }
    return "";
  };
  const auto all = ask({{"by", "model,hour"}});
  CHECK(all.status == 200);
  const auto lines = *parse_json(all.body);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0]["hour"] == "1970-01-01T09:00:00+09:00");
  CHECK(link_of(all).empty());
  const auto page = ask({{"by", "model"}, {"limit", "2"}});
  CHECK(parse_json(page.body)->size() == 2);
  CHECK(link_of(page) ==
        "</api/v1/usage?by=model&timezone=Asia%2FTokyo&limit=2&after=%5B%22n%22%5D>; rel=\"next\"");
  CHECK(ask({{"colour", "red"}}).status == 400);
  CHECK(ask({{"from", "soon"}}).status == 400);
}

TEST_CASE("a key is explained as of now with its present belief, or as of a time") {
  Surface surface;
  const auto ask = [&](std::multimap<std::string, std::string> query) {
    return surface.ask("GET", "/api/v1/keys/{id}/explain", {"k1"}, "", {}, std::move(query));
  };
  const auto now = json::parse(ask({}).response->body);
  CHECK_FALSE(surface.control.asked_of);
  CHECK(now["state"] == "unknown");  // what the snapshot says, newer than any story
  CHECK(now.contains("quotas"));
  CHECK(now["incident"].is_null());
  const auto then = json::parse(ask({{"at", "2026-03-01T12:00:00Z"}}).response->body);
  CHECK(surface.control.asked_of == parse_rfc3339("2026-03-01T12:00:00Z").value());
  CHECK(then["state"] == "dead");
  CHECK_FALSE(then.contains("quotas"));
  CHECK(ask({{"at", "yesterday"}}).response->status == 400);
}

TEST_CASE("every route of the table is served and has a summary") {
  Surface surface;
  CHECK(route_table().size() == surface.routes.size());
  for (const RouteInfo& info : route_table())
    CHECK_FALSE(info.summary.empty());
}

TEST_CASE("usage is taken from consumers and answered with what became of it") {
  Surface surface;
  surface.add_token("reader", model::Role::read);
  surface.add_token("consumer", model::Role::consume);
  surface.access->tokens.add(Secret("confined"), {model::Role::consume, {"prod"}});
  const auto deliver = [&](const char* token,
                           std::multimap<std::string, std::string> headers = {}) {
    headers.merge(surface.token(token));
    return surface.ask("POST", "/api/v1/usage", {}, "{}\n", headers, {{"log", "http"}});
  };
  CHECK(deliver("reader").response->status == 403);
  CHECK(deliver("confined").response->status == 403);
  CHECK(deliver("consumer", {{"content-encoding", "gzip"}}).response->status == 415);
  CHECK(surface.control.delivered.empty());
  const auto answer = deliver("consumer");
  CHECK(answer.response->status == 200);
  CHECK(surface.control.delivered == "{}\n");
  CHECK(json::parse(answer.response->body) ==
        json{{"log", "http"},
             {"lines", 6},
             {"counted", 2},
             {"skipped", 1},
             {"rejected", {{"bad_json", 3}}},
             {"samples", {"bad_json at byte 9 of the body"}}});
  // The only configured log need not be named.
  const auto only = surface.ask("POST", "/api/v1/usage", {}, "{}\n", surface.token("consumer"));
  CHECK(json::parse(only.response->body)["log"] == "gateway");
}

TEST_CASE("while the store lags, usage is put off with a time to come again") {
  Surface surface;
  surface.add_token("consumer", model::Role::consume);
  surface.control.lags = true;
  const auto answer = surface.ask("POST", "/api/v1/usage", {}, "{}\n", surface.token("consumer"));
  CHECK(answer.response->status == 429);
  const std::pair<std::string, std::string> retry{"Retry-After", "5"};
  const auto& headers = answer.response->headers;
  CHECK(std::count(headers.begin(), headers.end(), retry) == 1);
}

TEST_CASE("a key for one request is handed out to the role of consumers, in their pools") {
  Surface surface;
  surface.add_token("read-token-0123456789", model::Role::read);
  surface.add_token("consume-token-012345", model::Role::consume);
  surface.access->tokens.add(Secret("confined-token-01234"), {model::Role::consume, {"other"}});
  const auto next = [&](const char* token, std::string body = "") {
    return *surface
                .ask("POST", "/api/v1/pools/{id}/next", {"prod"}, std::move(body),
                     surface.token(token))
                .response;
  };
  CHECK(next("read-token-0123456789").status == 403);
  CHECK(next("confined-token-01234").status == 404);
  const auto answer = next("consume-token-012345", R"({"exclude":["k2","k3"]})");
  CHECK(answer.status == 200);
  CHECK(json::parse(answer.body) == json{{"pool", "prod"},
                                         {"key", "k1"},
                                         {"secret", "sk-the-secret"},
                                         {"provider", "main"},
                                         {"type", "openai_compat"},
                                         {"base_url", "https://host/v1"}});
  CHECK(surface.control.excluded == std::vector<std::string>{"k2", "k3"});
  for (const char* bad :
       {"[]", R"({"exclude":"k1"})", R"({"exclude":[1]})", R"({"include":["k1"]})"})
    CHECK(next("consume-token-012345", bad).status == 400);
  surface.control.has_keys = false;
  const auto none = next("consume-token-012345");
  CHECK(none.status == 503);
  CHECK(json::parse(none.body)["error"]["message"] ==
        "no key of pool prod may be handed out now: k1 is dead");
  const std::pair<std::string, std::string> in_13_seconds("Retry-After", "13");
  CHECK(std::count(none.headers.begin(), none.headers.end(), in_13_seconds) == 1);
}

TEST_CASE("a report is read strictly and becomes a line of the native usage log") {
  Surface surface;
  surface.add_token("consume-token-012345", model::Role::consume);
  const auto report = [&](const std::string& body) {
    return *surface
                .ask("POST", "/api/v1/pools/{id}/report", {"prod"}, body,
                     surface.token("consume-token-012345"))
                .response;
  };
  const auto answer = report(
      R"({"key":"k1","status":429,"retry_after":1.5,"model":"m","input_tokens":7,"output_tokens":2,)"
      R"("latency_ms":812,"request_id":"r1","verdict":"quota_exhausted"})");
  CHECK(answer.status == 200);
  CHECK(json::parse(answer.body) == json{{"saved", true}});
  const UseReport& told = surface.control.reported;
  CHECK(told.key == "k1");
  CHECK(told.http_status == 429);
  CHECK(told.retry_after == std::chrono::milliseconds(1'500));
  CHECK(told.verdict == model::Verdict::quota_exhausted);
  CHECK(told.input_tokens == 7);
  CHECK(told.line.back() == '\n');
  CHECK(json::parse(told.line) == json{{"ts", "2026-05-01T00:00:00Z"},
                                       {"key", "k1"},
                                       {"status", 429},
                                       {"model", "m"},
                                       {"input_tokens", 7},
                                       {"output_tokens", 2},
                                       {"latency_ms", 812},
                                       {"request_id", "r1"}});
  for (const char* bad :
       {"", R"({"key":"k1"})", R"({"status":200})", R"({"key":1,"status":200})",
        R"({"key":"k1","status":"200"})", R"({"key":"k1","status":42})",
        R"({"key":"k1","status":200,"input_tokens":-1})",
        R"({"key":"k1","status":200,"input_tokens":1.5})",
        R"({"key":"k1","status":200,"ts":"now"})", R"({"key":"k1","status":200,"verdict":"fine"})",
        R"({"key":"k1","status":200,"secret":"x"})"})
    CHECK(report(bad).status == 400);
  CHECK(
      json::parse(report(R"({"key":"k1","status":200,"cost_usd":-1})").body)["error"]["message"] ==
      "\"cost_usd\" must be a number of dollars");
  surface.control.lags = true;
  CHECK(report(R"({"key":"k1","status":200})").status == 429);
}

TEST_CASE("a drill is started by an operator, on a key, for a time within bounds") {
  Surface surface;
  surface.add_token("consume-token-012345", model::Role::consume);
  surface.add_token("operate-token-012345", model::Role::operate);
  const auto start = [&](const char* token, const std::string& body) {
    return *surface.ask("POST", "/api/v1/pools/{id}/drill", {"prod"}, body, surface.token(token))
                .response;
  };
  CHECK(start("consume-token-012345", R"({"key":"k1"})").status == 403);
  const auto started = start("operate-token-012345", R"({"key":"k1","for":"90s"})");
  CHECK(started.status == 202);
  CHECK(surface.control.drilled.at_most == std::chrono::seconds(90));
  CHECK(surface.control.drilled.actor == "api:operate");
  const json drill = json::parse(started.body);
  CHECK(drill["key"] == "k1");
  CHECK(drill["grade"].is_null());  // it is not over
  CHECK(start("operate-token-012345", R"({"key":"spare"})").status == 409);
  for (const char* bad : {"", "{}", R"({"key":1})", R"({"key":"k1","for":"9s"})",
                          R"({"key":"k1","for":"61m"})", R"({"key":"k1","to":"k2"})"})
    CHECK(start("operate-token-012345", bad).status == 400);
  CHECK(surface
            .ask("GET", "/api/v1/pools/{id}/drill", {"prod"}, "",
                 surface.token("operate-token-012345"))
            .response->status == 404);
}

TEST_CASE("keys are imported and exported by administrators, secrets with a passphrase only") {
  Surface surface;
  surface.add_token("operate-token-012345", model::Role::operate);
  surface.add_token("admin-token-01234567", model::Role::admin);
  CHECK(surface.ask("POST", "/api/v1/import", {}, "{}", surface.token("operate-token-012345"))
            .response->status == 403);
  CHECK(surface.ask("GET", "/api/v1/export", {}, "", surface.token("operate-token-012345"))
            .response->status == 403);
  auto headers = surface.token("admin-token-01234567");
  const auto plain = surface.ask("GET", "/api/v1/export", {}, "", headers);
  CHECK(plain.response->body == "{\"keys\":[]}");
  CHECK(surface.ask("GET", "/api/v1/export", {}, "", headers, {{"with_secrets", "true"}})
            .response->status == 400);
  headers.emplace("x-keyherd-passphrase", "correct horse battery");
  CHECK(surface.ask("GET", "/api/v1/export", {}, "", headers, {{"with_secrets", "true"}})
            .response->body.find("sealed") != std::string::npos);
  const auto imported = surface.ask("POST", "/api/v1/import", {}, R"({"keys":[]})", headers,
                                    {{"dry_run", "true"}, {"name", "keys.csv"}});
  CHECK(json::parse(imported.response->body) ==
        json{{"added", {"k2"}},
             {"changed", {{{"key", "k1"}, {"fields", {"priority"}}}}},
             {"unchanged", 3},
             {"secrets", 0},
             {"dry_run", true}});
  CHECK(surface.control.imported.name == "keys.csv");
  CHECK(surface.control.imported.passphrase->reveal() == "correct horse battery");
}
