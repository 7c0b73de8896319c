// The sandbox over a real socket, on a free port.

#include "sandbox/sandbox.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "net/transport.hpp"
#include "support/manual_clock.hpp"

using namespace keyherd;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct SandboxBench {
  test::ManualClock clock;
  std::unique_ptr<net::Transport> transport = net::make_http_transport({});
  std::unique_ptr<sandbox::Sandbox> box;

  explicit SandboxBench(std::chrono::nanoseconds latency = 0ms) {
    sandbox::SandboxOptions options;
    options.faces = {{"alpha", latency, 0ms, {}, {}}, {"beta", 0ms, 0ms, {}, {}}};
    sandbox::SandboxKey key;
    key.id = "a-1";
    key.face = "alpha";
    key.secret = "sk-play-alpha";
    key.life = {{12s, sandbox::LifeEventKind::revoke, {}, 0}};
    options.keys = {key};
    auto started = sandbox::Sandbox::start(std::move(options), clock);
    REQUIRE(started);
    box = std::move(*started);
  }
  Result<net::HttpResponse> send(const std::string& method, const std::string& path,
                                 const std::string& body = "",
                                 std::chrono::milliseconds timeout = 5s) {
    const Secret secret("sk-play-alpha");
    net::HttpRequest request;
    request.method = method;
    request.url = box->base_url("") + path;
    request.body = body;
    request.secret = &secret;
    request.timeout = timeout;
    return transport->send(request, {});
  }
  int status(const std::string& method, const std::string& path, const std::string& body = "") {
    const auto response = send(method, path, body);
    return response ? response->status : -1;
  }
};

constexpr const char* kChat = R"({"model":"deepseek-flash","messages":[{"role":"user"}]})";

}  // namespace

TEST_CASE("a face serves the shapes of OpenAI and DeepSeek", "[sandbox]") {
  SandboxBench bench;
  CHECK(bench.status("GET", "/alpha/models") == 200);
  CHECK(bench.status("GET", "/alpha/v1/models") == 200);
  CHECK(bench.status("GET", "/alpha/user/balance") == 200);
  CHECK(bench.status("POST", "/alpha/chat/completions", kChat) == 200);
  CHECK(bench.status("POST", "/alpha/v1/chat/completions", kChat) == 200);
  CHECK(bench.status("GET", "/beta/models") == 401);
  CHECK(bench.status("GET", "/gamma/models") == 404);
  CHECK(bench.box->base_url("alpha") ==
        "http://127.0.0.1:" + std::to_string(bench.box->port()) + "/alpha");
}

TEST_CASE("a face serves the shapes of Anthropic and Gemini, each with its own header",
          "[sandbox]") {
  SandboxBench bench;
  const auto send = [&](const std::string& method, const std::string& path, const char* header,
                        const std::string& body) {
    const Secret secret("sk-play-alpha");
    net::HttpRequest request;
    request.method = method;
    request.url = bench.box->base_url("alpha") + path;
    request.body = body;
    request.secret = &secret;
    request.secret_header = header;
    request.secret_prefix = "";
    const auto response = bench.transport->send(request, {});
    REQUIRE(response);
    return *response;
  };
  const auto models = send("GET", "/v1/models?limit=1", "x-api-key", "");
  CHECK(json::parse(models.body)["data"][0]["type"] == "model");
  const auto message =
      send("POST", "/v1/messages", "x-api-key",
           R"({"model":"claude-haiku-4-5","max_tokens":1,"messages":[{"role":"user"}]})");
  CHECK(json::parse(message.body)["type"] == "message");
  CHECK(message.header("anthropic-ratelimit-requests-limit") == "1000");
  const auto listed = send("GET", "/v1beta/models?pageSize=1", "x-goog-api-key", "");
  CHECK(json::parse(listed.body)["models"].size() == 5);
  const auto content = send("POST", "/v1beta/models/gemini-2.5-flash-lite:generateContent",
                            "x-goog-api-key", R"({"contents":[{"role":"user"}]})");
  CHECK(json::parse(content.body)["candidates"].size() == 1);
  CHECK(send("POST", "/v1beta/models/gemini-2.5-flash-lite:countTokens", "x-goog-api-key",
             R"({"contents":[]})")
            .status == 404);
  // The Bearer header is not looked at there.
  CHECK(bench.status("GET", "/alpha/v1beta/models") == 400);
}

TEST_CASE("a dropping face closes the connection without an answer", "[sandbox]") {
  SandboxBench bench;
  REQUIRE(bench.box->set_outage("alpha", sandbox::Outage::drop));
  const auto dropped = bench.send("GET", "/alpha/models");
  REQUIRE_FALSE(dropped);
  CHECK(dropped.error().code == ErrorCode::unavailable);
  CHECK(bench.status("GET", "/beta/models") == 401);
  REQUIRE(bench.box->set_outage("alpha", sandbox::Outage::none));
  CHECK(bench.status("GET", "/alpha/models") == 200);
}

TEST_CASE("scripted lives follow the clock that the sandbox was given", "[sandbox]") {
  SandboxBench bench;
  CHECK(bench.status("GET", "/alpha/models") == 200);
  bench.clock.advance(12s);
  CHECK(bench.status("GET", "/alpha/models") == 401);
}

TEST_CASE("the control API changes keys and faces, and shows what they are", "[sandbox]") {
  SandboxBench bench;
  CHECK(bench.status("PUT", "/sandbox/keys/a-1", R"({"state":"throttled","for":"30s"})") == 200);
  CHECK(bench.status("GET", "/alpha/models") == 429);
  CHECK(bench.status("POST", "/sandbox/keys/a-1", R"({"state":"ok"})") == 200);
  CHECK(bench.status("POST", "/sandbox/outage", R"({"face":"alpha","mode":"503"})") == 200);
  CHECK(bench.status("GET", "/alpha/models") == 503);
  CHECK(bench.status("POST", "/sandbox/outage", R"({"face":"alpha","mode":"none"})") == 200);
  CHECK(bench.status("POST", "/sandbox/keys",
                     R"({"id":"b-1","face":"beta","secret":"sk-play-alpha"})") == 200);
  CHECK(bench.status("GET", "/beta/models") == 200);

  const auto state = bench.send("GET", "/sandbox/state");
  REQUIRE(state);
  const json shown = json::parse(state->body);
  CHECK(shown["keys"].size() == 2);
  CHECK(shown["keys"][0]["state"] == "ok");
  CHECK(shown["keys"][0]["requests"]["models"] == 2);
  CHECK(shown["faces"].size() == 2);
  CHECK(state->body.find("sk-play") == std::string::npos);
  CHECK(bench.box->counts().requests.at("b-1").at("models") == 1);
}

TEST_CASE("the control API refuses what it does not know", "[sandbox]") {
  SandboxBench bench;
  CHECK(bench.status("PUT", "/sandbox/keys/nobody", R"({"state":"ok"})") == 404);
  CHECK(bench.status("PUT", "/sandbox/keys/a-1", R"({"state":"merry"})") == 400);
  CHECK(bench.status("PUT", "/sandbox/keys/a-1", "not json") == 400);
  CHECK(bench.status("PUT", "/sandbox/keys/a-1", R"({"state":"throttled","for":"soon"})") == 400);
  CHECK(bench.status("POST", "/sandbox/outage", R"({"face":"alpha","mode":"rain"})") == 400);
  CHECK(bench.status("POST", "/sandbox/outage", R"({"face":"gamma","mode":"none"})") == 404);
  CHECK(bench.status("POST", "/sandbox/keys", R"({"id":"a-1","face":"alpha","secret":"x"})") ==
        409);
}

TEST_CASE("a slow face answers late, and a hanging one not at all", "[sandbox]") {
  SandboxBench bench(30ms);
  const auto late = bench.send("GET", "/alpha/models");
  REQUIRE(late);
  CHECK(late->latency >= 30ms);
  REQUIRE(bench.box->set_outage("alpha", sandbox::Outage::hang));
  const auto never = bench.send("GET", "/alpha/models", "", 100ms);
  REQUIRE_FALSE(never);
  CHECK(never.error().code == ErrorCode::timeout);
}
