#include "probe/prober.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "probe/provider_type.hpp"
#include "support/manual_clock.hpp"
#include "support/scripted_transport.hpp"

using namespace keyherd;
using namespace std::chrono_literals;
using model::ProbeKind;
using model::Verdict;
using nlohmann::json;

namespace {

constexpr const char* kCanary = "sk-canary-0123456789abcdef";
constexpr const char* kChatAnswer =
    R"({"choices":[{"index":0}],"usage":{"prompt_tokens":1000,"completion_tokens":10,)"
    R"("prompt_cache_hit_tokens":400}})";

struct Bench {
  test::ScriptedTransport transport;
  test::ManualClock clock;
  Redactor redactor;
  model::Provider provider;

  explicit Bench(std::string type, std::string base_url = "https://api.example") {
    provider.id = "p";
    provider.type = std::move(type);
    provider.base_url = std::move(base_url);
    redactor.add(Secret(kCanary));
  }
  model::Evidence run(ProbeKind kind) {
    const probe::ProbeJob job{"key-1", std::make_shared<model::Provider>(provider),
                              std::make_shared<Secret>(kCanary), kind};
    return probe::run_probe(job, transport, redactor, clock, {});
  }
  json sent_body() { return json::parse(transport.requests().back().body); }
  std::string sent_url() { return transport.requests().back().url; }
};

std::string header(const test::RecordedRequest& request, const std::string& name) {
  for (const auto& [key, value] : request.headers)
    if (key == name)
      return value;
  return "";
}

}  // namespace

TEST_CASE("a chat probe asks for one token and reports tokens and cost", "[probe]") {
  Bench bench("deepseek");
  bench.provider.prices["deepseek-flash"] = {300'000'000, 30'000'000, 0, 400'000'000};
  bench.transport.push(200, kChatAnswer);
  const auto evidence = bench.run(ProbeKind::chat);
  CHECK(bench.sent_url() == "https://api.example/chat/completions");
  const json body = bench.sent_body();
  CHECK(body["model"] == "deepseek-flash");
  CHECK(body["max_tokens"] == 1);
  CHECK(body["thinking"]["type"] == "disabled");
  CHECK(evidence.key == "key-1");
  CHECK(evidence.verdict == Verdict::ok);
  CHECK(evidence.message.empty());
  CHECK(evidence.http_status == 200);
  CHECK(evidence.probe == ProbeKind::chat);
  CHECK(evidence.at == bench.clock.now().wall);
  CHECK(evidence.input_tokens == 1000);
  CHECK(evidence.output_tokens == 10);
  // 600 × 0.3 + 400 × 0.03 + 10 × 0.4 USD per million
  CHECK(evidence.cost == 180'000 + 12'000 + 4'000);
}

TEST_CASE("a reasoning model gets the new limit field and room to answer", "[probe]") {
  for (const char* model : {"gpt-5-mini", "o3-mini", "openai/gpt-5"}) {
    Bench bench("openai_compat");
    bench.provider.probe.model = model;
    bench.transport.push(200, kChatAnswer);
    bench.run(ProbeKind::chat);
    INFO(model);
    CHECK(bench.sent_body()["max_completion_tokens"] == 16);
    CHECK_FALSE(bench.sent_body().contains("max_tokens"));
  }
  Bench plain("openai_compat");
  plain.provider.probe.model = "olmo-2";
  plain.transport.push(200, kChatAnswer);
  plain.run(ProbeKind::chat);
  CHECK(plain.sent_body()["max_tokens"] == 1);
  CHECK_FALSE(plain.sent_body().contains("thinking"));
}

TEST_CASE("paths are joined to base_url, and host paths drop a /v1", "[probe]") {
  const auto url = [](const char* type, const char* base, ProbeKind kind) {
    Bench bench(type, base);
    bench.transport.push(200, "{}");
    bench.run(kind);
    return bench.sent_url();
  };
  CHECK(url("openai_compat", "http://h:1/v1", ProbeKind::models) == "http://h:1/v1/models");
  CHECK(url("openai_compat", "http://h:1/x/", ProbeKind::models) == "http://h:1/x/models");
  CHECK(url("deepseek", "https://d", ProbeKind::balance) == "https://d/user/balance");
  CHECK(url("deepseek", "https://d/v1", ProbeKind::balance) == "https://d/user/balance");
  CHECK(url("anthropic", "https://a", ProbeKind::models) == "https://a/v1/models?limit=1");
  CHECK(url("anthropic", "https://a/v1", ProbeKind::models) == "https://a/v1/models?limit=1");
  CHECK(url("gemini", "https://g/v1beta", ProbeKind::chat) ==
        "https://g/v1beta/models/gemini-2.5-flash-lite:generateContent");
  CHECK(url("newapi", "https://n/v1", ProbeKind::balance) == "https://n/api/usage/token");
}

TEST_CASE("the credential goes into the type's header and nowhere else", "[probe]") {
  const std::map<std::string, std::string> headers{{"deepseek", "Authorization"},
                                                   {"openai_compat", "Authorization"},
                                                   {"anthropic", "x-api-key"},
                                                   {"gemini", "x-goog-api-key"},
                                                   {"azure", "api-key"}};
  for (const auto& [type, name] : headers) {
    INFO(type);
    Bench bench(type);
    bench.provider.headers["X-Team"] = "search";
    bench.transport.push(200, "{}");
    bench.run(ProbeKind::models);
    const auto request = bench.transport.requests().back();
    CHECK(request.secret_header == name);
    CHECK(request.secret == kCanary);
    CHECK(request.url.find(kCanary) == std::string::npos);
    CHECK(request.body.find(kCanary) == std::string::npos);
    CHECK(header(request, "X-Team") == "search");
  }
}

TEST_CASE("an auth probe posts an empty object and reads the refusal", "[probe]") {
  Bench bench("openai_compat");
  bench.transport.push(400, R"({"error":{"message":"messages is required"}})");
  CHECK(bench.run(ProbeKind::auth).verdict == Verdict::ok);
  CHECK(bench.transport.requests().back().method == "POST");
  CHECK(bench.transport.requests().back().body == "{}");
}

TEST_CASE("a message is redacted, printable and at most 200 bytes", "[probe]") {
  Bench bench("deepseek");
  const std::string text =
      std::string("bad key ") + kCanary + "\n\x1b[31m" + std::string(5000, 'x');
  bench.transport.push(401, json({{"error", {{"message", text}}}}).dump());
  const auto evidence = bench.run(ProbeKind::balance);
  CHECK(evidence.verdict == Verdict::invalid_key);
  CHECK(evidence.message.find(kCanary) == std::string::npos);
  CHECK(evidence.message.find("canary") == std::string::npos);
  CHECK(evidence.message.find('\n') == std::string::npos);
  CHECK(evidence.message.find('\x1b') == std::string::npos);
  CHECK(evidence.message.substr(0, 8) == "bad key ");
  CHECK(evidence.message.size() <= 200);
}

TEST_CASE("a key echoed in plain text is redacted before it is cut", "[probe]") {
  Bench bench("openai_compat");
  bench.transport.push(401, std::string(190, '.') + kCanary);
  CHECK(bench.run(ProbeKind::models).message.find("sk-can") == std::string::npos);
}

TEST_CASE("balances, limits and the end of a condition come with the evidence", "[probe]") {
  Bench bench("deepseek");
  bench.transport.push(
      200,
      R"({"is_available":true,"balance_infos":[{"currency":"CNY","total_balance":"110.00"}]})");
  const auto rich = bench.run(ProbeKind::balance);
  REQUIRE(rich.balances.size() == 1);
  CHECK(rich.balances[0].currency == "CNY");
  CHECK(rich.balances[0].nanos == 110'000'000'000);
  bench.transport.push(429, "{}",
                       {{"retry-after", "30"},
                        {"x-ratelimit-limit-requests", "10"},
                        {"x-ratelimit-remaining-requests", "0"}});
  const auto slow = bench.run(ProbeKind::balance);
  CHECK(slow.verdict == Verdict::rate_limited);
  CHECK(slow.retry_at == bench.clock.now().wall + 30s);
  CHECK(slow.rate_limits.size() == 1);
}

TEST_CASE("no answer is evidence about the network, with status 0", "[probe]") {
  Bench bench("deepseek");
  bench.transport.push(fail(ErrorCode::unavailable, "connecting to api.example: refused"));
  const auto refused = bench.run(ProbeKind::balance);
  CHECK(refused.verdict == Verdict::network);
  CHECK(refused.http_status == 0);
  CHECK(refused.message == "connecting to api.example: refused");
  bench.transport.push(fail(ErrorCode::cancelled, "stopped"));
  CHECK(bench.run(ProbeKind::balance).message == "cancelled");
}

TEST_CASE("what cannot be asked is our mistake, and nothing is sent", "[probe]") {
  Bench compat("openai_compat");
  const auto balance = compat.run(ProbeKind::balance);
  CHECK(balance.verdict == Verdict::bad_request);
  CHECK(balance.message == "type \"openai_compat\" has no probe \"balance\"");
  CHECK(compat.run(ProbeKind::chat).message ==
        "no model to ask for: set probe.model of provider \"p\"");
  CHECK(compat.transport.requests().empty());
}

TEST_CASE("token counts that no probe can have do not overflow the cost", "[probe]") {
  Bench bench("deepseek");
  bench.provider.prices["deepseek-flash"] = {300'000'000, 0, 0, 300'000'000};
  bench.transport.push(200, R"({"choices":[{}],"usage":{"prompt_tokens":9223372036854775807,)"
                            R"("completion_tokens":9223372036854775807}})");
  CHECK(bench.run(ProbeKind::chat).cost == std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("a rule of the configuration comes before the type's", "[probe]") {
  Bench bench("deepseek");
  bench.provider.rules = {{Verdict::quota_exhausted,
                           model::VerdictScope::key,
                           {{403, 403}},
                           {},
                           {"PLAN*used up"},
                           model::RuleReset::next_month_utc}};
  bench.transport.push(403, R"({"error":{"message":"The plan of this key is used up."}})");
  const auto evidence = bench.run(ProbeKind::balance);
  CHECK(evidence.verdict == Verdict::quota_exhausted);
  CHECK(evidence.scope == model::VerdictScope::key);
  CHECK(evidence.retry_at.has_value());
  bench.transport.push(403, R"({"error":{"message":"No."}})");
  CHECK(bench.run(ProbeKind::balance).verdict == Verdict::permission_denied);
}

TEST_CASE("paths, the credential's header and the limit of the answer can be configured",
          "[probe]") {
  Bench bench("openai_compat", "https://h/v1");
  bench.provider.probe.model = "m";
  bench.provider.probe.paths = {{"models", "/v2/models"}, {"chat", "/deployments/{model}/chat"}};
  bench.provider.auth_header = "X-Litellm-Key";
  bench.provider.auth_prefix = "Bearer ";
  bench.provider.probe.limit_field = model::LimitField::max_completion_tokens;
  bench.provider.probe.limit_tokens = 16;
  bench.transport.push(200, R"({"data":[]})");
  bench.run(ProbeKind::models);
  CHECK(bench.sent_url() == "https://h/v1/v2/models");
  CHECK(bench.transport.requests().back().secret_header == "X-Litellm-Key");
  bench.transport.push(200, kChatAnswer);
  bench.run(ProbeKind::chat);
  CHECK(bench.sent_url() == "https://h/v1/deployments/m/chat");
  CHECK(bench.sent_body()["max_completion_tokens"] == 16);
  CHECK_FALSE(bench.sent_body().contains("max_tokens"));
}

TEST_CASE("the type's own model has a price without any configuration", "[probe]") {
  Bench bench("openai");
  bench.transport.push(200,
                       R"({"choices":[{}],"usage":{"prompt_tokens":8,"completion_tokens":1}})");
  // 8 × 0.1 + 1 × 0.4 USD per million
  CHECK(bench.run(ProbeKind::chat).cost == 1'200);
  bench.provider.probe.model = "another";
  bench.transport.push(200,
                       R"({"choices":[{}],"usage":{"prompt_tokens":8,"completion_tokens":1}})");
  CHECK(bench.run(ProbeKind::chat).cost == 0);
}

TEST_CASE("a balance without a currency is counted in that of its platform", "[probe]") {
  const auto currency = [](const char* type, const char* url, const char* answer) {
    Bench bench(type, url);
    bench.transport.push(200, answer);
    return bench.run(ProbeKind::balance).balances.at(0).currency;
  };
  constexpr const char* kMoonshot = R"({"code":0,"status":true,"data":{"available_balance":4.5}})";
  CHECK(currency("moonshot", "https://api.moonshot.cn/v1", kMoonshot) == "CNY");
  CHECK(currency("moonshot", "https://api.moonshot.ai/v1", kMoonshot) == "USD");
  CHECK(currency("moonshot", "https://relay.example/v1", kMoonshot) == "XXX");
  constexpr const char* kSiliconflow = R"({"code":20000,"data":{"totalBalance":"1.5"}})";
  CHECK(currency("siliconflow", "https://api.siliconflow.cn/v1", kSiliconflow) == "CNY");
  CHECK(currency("siliconflow", "https://api.siliconflow.com/v1", kSiliconflow) == "USD");
}
