#include "sandbox/world.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace keyherd;
using namespace std::chrono_literals;
using nlohmann::json;
using sandbox::CallKind;
using sandbox::Dialect;
using sandbox::LifeEventKind;

namespace {

constexpr const char* kChatBody = R"({"model":"m","max_tokens":5,"messages":[{"role":"user"}]})";

sandbox::SandboxKey key(std::string id, std::vector<sandbox::LifeEvent> life = {},
                        std::string account = "") {
  sandbox::SandboxKey made;
  made.secret = "secret-" + id;
  made.id = std::move(id);
  made.face = "alpha";
  made.account = std::move(account);
  made.balance = 10;
  made.life = std::move(life);
  return made;
}

struct WorldBench {
  std::unique_ptr<sandbox::World> world;

  explicit WorldBench(std::vector<sandbox::SandboxKey> keys,
                      sandbox::SandboxFace face = {"alpha", {}, {}, {}}) {
    sandbox::SandboxOptions options;
    options.models = {"m"};
    options.faces = {std::move(face), {"beta", {}, {}, {}}};
    options.keys = std::move(keys);
    auto made = sandbox::World::make(std::move(options));
    REQUIRE(made);
    world = std::move(*made);
  }
  sandbox::Reply call(CallKind kind, std::chrono::nanoseconds now,
                      std::string_view token = "secret-k", Dialect dialect = Dialect::deepseek,
                      std::string_view body = kChatBody) {
    const std::string_view path = kind == CallKind::chat ? "/chat/completions" : "/models";
    return world->serve({"alpha", kind, dialect, path, token, body}, now);
  }
  int status(CallKind kind, std::chrono::nanoseconds now, std::string_view token = "secret-k",
             Dialect dialect = Dialect::deepseek) {
    return call(kind, now, token, dialect).status;
  }
  std::string state(std::chrono::nanoseconds now) {
    return world->describe(now)["keys"][0]["state"].get<std::string>();
  }
};

}  // namespace

TEST_CASE("a good key lists models, has a balance and chats", "[sandbox]") {
  WorldBench bench({key("k")});
  CHECK(json::parse(bench.call(CallKind::models, 0s).body)["data"][0]["id"] == "m");
  const json balance = json::parse(bench.call(CallKind::balance, 0s).body);
  CHECK(balance["is_available"] == true);
  CHECK(balance["balance_infos"][0]["total_balance"] == "10.00");
  const json chat = json::parse(bench.call(CallKind::chat, 0s).body);
  CHECK(chat["choices"].size() == 1);
  CHECK(chat["usage"]["completion_tokens"] == 5);
  CHECK(chat["usage"]["prompt_tokens"].get<int>() > 0);
}

TEST_CASE("an unknown secret is refused in the words of each provider", "[sandbox]") {
  WorldBench bench({key("k")});
  CHECK(bench.status(CallKind::models, 0s, "wrong") == 401);
  const json openai =
      json::parse(bench.call(CallKind::models, 0s, "sk-wrong-1234", Dialect::openai).body);
  CHECK(openai["error"]["code"] == "invalid_api_key");
  CHECK(openai["error"]["message"].get<std::string>().find("sk-wrong") == std::string::npos);
  CHECK(bench.world->counts().unknown_keys == 2);
}

TEST_CASE("each dialect refuses, throttles and answers as its provider documents it", "[sandbox]") {
  WorldBench bench({key("k")});
  struct Expected {
    Dialect dialect;
    int invalid, throttled, no_balance, unknown_model, malformed;
  };
  const std::vector<Expected> table{{Dialect::openai, 401, 429, 429, 404, 400},
                                    {Dialect::deepseek, 401, 429, 402, 400, 422},
                                    {Dialect::anthropic, 401, 429, 400, 404, 400},
                                    {Dialect::gemini, 400, 429, 402, 404, 400}};
  const auto chat = [&](Dialect dialect, std::string_view model, std::string_view token,
                        bool well_formed = true) {
    const json body = dialect == Dialect::gemini
                          ? json{{"contents", json::array()}}
                          : json{{"model", model}, {"max_tokens", 1}, {"messages", json::array()}};
    return bench.world
        ->serve({"alpha", CallKind::chat, dialect, "/x", token, well_formed ? body.dump() : "{}",
                 model},
                0s)
        .status;
  };
  for (const Expected& row : table) {
    INFO(static_cast<int>(row.dialect));
    REQUIRE(bench.world->set_key_state("k", "ok", {}, 0s));
    CHECK(chat(row.dialect, "m", "secret-k") == 200);
    CHECK(chat(row.dialect, "m", "wrong") == row.invalid);
    CHECK(chat(row.dialect, "other", "secret-k") == row.unknown_model);
    CHECK(chat(row.dialect, "m", "secret-k", false) == row.malformed);
    REQUIRE(bench.world->set_key_state("k", "throttled", 30s, 0s));
    CHECK(chat(row.dialect, "m", "secret-k") == row.throttled);
    REQUIRE(bench.world->set_key_state("k", "no_balance", {}, 0s));
    CHECK(chat(row.dialect, "m", "secret-k") == row.no_balance);
  }
}

TEST_CASE("an open endpoint answers whatever key it is shown", "[sandbox]") {
  WorldBench bench({key("k")}, {"alpha", {}, {}, {}, {CallKind::models}});
  CHECK(bench.status(CallKind::models, 0s, "wrong") == 200);
  CHECK(bench.status(CallKind::chat, 0s, "wrong") == 401);
  REQUIRE(bench.world->set_key_state("k", "revoked", {}, 0s));
  CHECK(bench.status(CallKind::models, 0s) == 200);
  CHECK(bench.status(CallKind::chat, 0s) == 401);
}

TEST_CASE("a key is revoked and restored when its life says so", "[sandbox]") {
  WorldBench bench(
      {key("k", {{12s, LifeEventKind::revoke, {}, 0}, {20s, LifeEventKind::restore, {}, 0}})});
  CHECK(bench.status(CallKind::balance, 11s) == 200);
  CHECK(bench.status(CallKind::balance, 12s) == 401);
  CHECK(bench.state(13s) == "revoked");
  CHECK(bench.status(CallKind::chat, 20s) == 200);
}

TEST_CASE("a throttled key says how long, and recovers by itself", "[sandbox]") {
  WorldBench bench({key("k", {{10s, LifeEventKind::throttle, 30s, 0}})});
  const auto reply = bench.call(CallKind::chat, 15s);
  CHECK(reply.status == 429);
  REQUIRE(reply.headers.size() == 1);
  CHECK(reply.headers[0] == std::pair<std::string, std::string>("Retry-After", "25"));
  CHECK(bench.state(39s) == "throttled");
  CHECK(bench.status(CallKind::chat, 40s) == 200);
}

TEST_CASE("an exhausted account is 402 or insufficient_quota, and a top-up ends it", "[sandbox]") {
  WorldBench bench(
      {key("k", {{10s, LifeEventKind::exhaust, {}, 0}, {60s, LifeEventKind::top_up, {}, 5}})});
  CHECK(bench.status(CallKind::chat, 10s) == 402);
  const auto openai = bench.call(CallKind::chat, 10s, "secret-k", Dialect::openai);
  CHECK(openai.status == 429);
  CHECK(json::parse(openai.body)["error"]["code"] == "insufficient_quota");
  CHECK(json::parse(bench.call(CallKind::balance, 10s).body)["is_available"] == false);
  CHECK(bench.status(CallKind::models, 10s) == 200);
  CHECK(bench.state(11s) == "no_balance");
  CHECK(bench.status(CallKind::chat, 60s) == 200);
}

TEST_CASE("chats spend the balance that keys of one account share", "[sandbox]") {
  auto first = key("k", {}, "purse");
  first.price_per_request = 6;
  auto second = key("other", {}, "purse");
  second.price_per_request = 6;
  WorldBench bench({first, second});
  CHECK(bench.status(CallKind::chat, 0s) == 200);
  CHECK(bench.status(CallKind::chat, 0s, "secret-other") == 200);
  CHECK(bench.status(CallKind::chat, 0s) == 402);
}

TEST_CASE("requests that make no sense are refused as the providers do", "[sandbox]") {
  WorldBench bench({key("k")});
  const auto status = [&](std::string_view body, Dialect dialect) {
    return bench.call(CallKind::chat, 0s, "secret-k", dialect, body).status;
  };
  CHECK(status("{}", Dialect::openai) == 400);
  CHECK(status("not json", Dialect::openai) == 400);
  CHECK(status("{}", Dialect::deepseek) == 422);
  CHECK(status(R"({"model":"gone","messages":[]})", Dialect::openai) == 404);
  CHECK(status(R"({"model":"gone","messages":[]})", Dialect::deepseek) == 400);
  CHECK(status(R"({"model":"m","messages":[],"max_tokens":18446744073709551615})",
               Dialect::openai) == 200);
}

TEST_CASE("an outage hits its face, its paths and its time only", "[sandbox]") {
  sandbox::SandboxFace face{"alpha", {}, {}, {{10s, 10s, sandbox::Outage::error_503, "/chat"}}};
  WorldBench bench({key("k")}, face);
  CHECK(bench.status(CallKind::chat, 9s) == 200);
  CHECK(bench.status(CallKind::chat, 10s) == 503);
  CHECK(bench.status(CallKind::models, 10s) == 200);
  CHECK(bench.status(CallKind::chat, 20s) == 200);
}

TEST_CASE("an outage by hand has every mode and ends by hand", "[sandbox]") {
  WorldBench bench({key("k")});
  const auto in_outage = [&](sandbox::Outage mode) {
    REQUIRE(bench.world->set_outage("alpha", mode));
    return bench.call(CallKind::chat, 0s);
  };
  CHECK(in_outage(sandbox::Outage::error_500).status == 500);
  CHECK(in_outage(sandbox::Outage::error_503).status == 503);
  CHECK(in_outage(sandbox::Outage::error_529).status == 529);
  CHECK(in_outage(sandbox::Outage::unauthorized).status == 401);
  CHECK(in_outage(sandbox::Outage::hang).hangs);
  CHECK(in_outage(sandbox::Outage::none).status == 200);
  CHECK_FALSE(bench.world->set_outage("gamma", sandbox::Outage::none));
}

TEST_CASE("outage names and values agree", "[sandbox]") {
  for (const auto outage :
       {sandbox::Outage::none, sandbox::Outage::error_500, sandbox::Outage::error_503,
        sandbox::Outage::error_529, sandbox::Outage::unauthorized, sandbox::Outage::hang})
    CHECK(sandbox::outage_from_string(sandbox::to_string(outage)) == outage);
  CHECK_FALSE(sandbox::outage_from_string("rain"));
}

TEST_CASE("a key's state can be set by hand to each of its states", "[sandbox]") {
  WorldBench bench({key("k")});
  for (const char* state : {"revoked", "throttled", "disabled", "no_balance", "ok"}) {
    INFO(state);
    REQUIRE(bench.world->set_key_state("k", state, {}, 1s));
    CHECK(bench.state(2s) == state);
  }
  CHECK(bench.status(CallKind::chat, 2s) == 200);
  CHECK(bench.world->set_key_state("nobody", "ok", {}, 1s).error().code == ErrorCode::not_found);
  CHECK(bench.world->set_key_state("k", "merry", {}, 1s).error().code == ErrorCode::invalid);
}

TEST_CASE("requests are counted by key and kind", "[sandbox]") {
  WorldBench bench({key("k")});
  bench.status(CallKind::chat, 0s);
  bench.status(CallKind::chat, 0s);
  bench.status(CallKind::balance, 0s);
  const auto counts = bench.world->counts();
  CHECK(counts.requests.at("k").at("chat") == 2);
  CHECK(counts.requests.at("k").at("balance") == 1);
}

TEST_CASE("latency stays within its jitter and repeats with the seed", "[sandbox]") {
  const auto delays = [] {
    WorldBench bench({key("k")}, {"alpha", 100ms, 20ms, {}});
    std::vector<std::chrono::nanoseconds> seen;
    for (int i = 0; i < 50; ++i)
      seen.push_back(bench.call(CallKind::models, 0s).delay);
    return seen;
  };
  const auto seen = delays();
  for (const auto delay : seen) {
    CHECK(delay >= 80ms);
    CHECK(delay <= 120ms);
  }
  CHECK(seen.front() != seen.back());
  CHECK(seen == delays());
}

TEST_CASE("keys and faces that cannot be are refused", "[sandbox]") {
  WorldBench bench({key("k")});
  CHECK(bench.world->add_key(key("k")).error().code == ErrorCode::conflict);
  auto homeless = key("h");
  homeless.face = "gamma";
  CHECK(bench.world->add_key(homeless).error().code == ErrorCode::invalid);
  CHECK(bench.world->add_key(key("new")));
  CHECK(bench.status(CallKind::models, 0s, "secret-new") == 200);
  sandbox::SandboxOptions options;
  options.faces = {{"sandbox", {}, {}, {}}};
  CHECK_FALSE(sandbox::World::make(options));
}
