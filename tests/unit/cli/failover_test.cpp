#include "cli/failover.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "support/manual_clock.hpp"
#include "support/scripted_transport.hpp"

using namespace keyherd;
using namespace keyherd::cli;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

const std::string kGood =
    R"({"id":"x","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":)"
    R"({"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":)"
    R"({"prompt_tokens":8,"completion_tokens":3,"total_tokens":11}})";

// An agent with three keys, a provider that answers by script, and time that passes by waiting.
struct Scene {
  test::ManualClock clock;
  test::ScriptedTransport transport;
  CallRequest request{R"({"model":"m","messages":[]})", std::nullopt};
  std::vector<std::string> keys{"k1", "k2", "k3"};
  model::Provider provider;
  std::vector<json> reports;
  std::vector<milliseconds> waits;
  std::string body;
  std::vector<std::string> told;

  Scene() {
    provider.id = "p";
    provider.type = "openai_compat";
    provider.base_url = "https://host/v1";
  }
  void refuse(int status, std::multimap<std::string, std::string> headers = {}) {
    transport.push(status, R"({"error":{"message":"no: )" + std::to_string(status) + "\"}}",
                   std::move(headers));
  }
  void answer() { transport.push(200, kGood); }
  CallOutcome call() {
    return call_with_failover(
        request, {[&](const std::vector<std::string>& exclude) -> Result<NamedKey> {
                    for (const std::string& key : keys) {
                      if (std::find(exclude.begin(), exclude.end(), key) == exclude.end())
                        return NamedKey{key, Secret("sk-" + key), provider};
                    }
                    return fail(ErrorCode::conflict, "no key of pool prod may be handed out now");
                  },
                  [&](const json& report) { reports.push_back(report); }, transport, clock,
                  [&](std::chrono::nanoseconds pause) {
                    waits.push_back(std::chrono::duration_cast<milliseconds>(pause));
                    clock.advance(pause);
                  },
                  [&](std::string_view bytes) { body += bytes; },
                  [&](const Attempt& attempt) { told.push_back(attempt.key); }});
  }
  std::string keys_used() const {
    std::string used;
    for (const auto& one : transport.requests())
      used += (used.empty() ? "" : " ") + one.secret.substr(3);
    return used;
  }
};

using Waits = std::vector<milliseconds>;

}  // namespace

TEST_CASE("a good answer is handed on and reported with its tokens") {
  Scene scene;
  scene.answer();
  const auto outcome = scene.call();
  REQUIRE(outcome.attempts.size() == 1);
  CHECK(outcome.attempts[0].is_good());
  CHECK(scene.body == kGood);
  const auto sent = scene.transport.requests().at(0);
  CHECK(sent.method == "POST");
  CHECK(sent.url == "https://host/v1/chat/completions");
  CHECK(sent.body == scene.request.body);
  CHECK(sent.secret == "sk-k1");
  REQUIRE(scene.reports.size() == 1);
  CHECK(scene.reports[0]["key"] == "k1");
  CHECK(scene.reports[0]["status"] == 200);
  CHECK(scene.reports[0]["model"] == "m-1");
  CHECK(scene.reports[0]["input_tokens"] == 8);
  CHECK(scene.reports[0]["output_tokens"] == 3);
  CHECK_FALSE(scene.reports[0]["request_id"].get<std::string>().empty());
}

TEST_CASE("a refused key is followed by the next at once") {
  Scene scene;
  const int status = GENERATE(401, 402, 403, 429);
  scene.refuse(status);
  scene.refuse(status);
  scene.answer();
  const auto outcome = scene.call();
  CHECK(scene.keys_used() == "k1 k2 k3");
  CHECK(scene.waits.empty());
  CHECK(outcome.attempts.back().is_good());
  CHECK(scene.told == std::vector<std::string>{"k1", "k2", "k3"});
  CHECK(scene.reports[0]["status"] == status);
}

TEST_CASE("when every key is refused the call fails with what each was refused for") {
  Scene scene;
  for (int i = 0; i < 3; ++i)
    scene.refuse(429, {{"retry-after", "20"}});
  const auto outcome = scene.call();
  CHECK(outcome.attempts.size() == 3);
  CHECK(outcome.error->code == ErrorCode::conflict);
  CHECK(outcome.reached);
  CHECK(scene.waits.empty());
  CHECK(scene.body.empty());
  CHECK(scene.reports[0]["retry_after"].get<double>() == Approx(20));
}

TEST_CASE("a server's error is waited out three times, twice as long each time") {
  Scene scene;
  SECTION("and then it works") {
    for (int i = 0; i < 3; ++i)
      scene.refuse(500);
    scene.answer();
    CHECK(scene.call().attempts.back().is_good());
  }
  SECTION("and then the call fails") {
    for (int i = 0; i < 4; ++i)
      scene.refuse(503);
    const auto outcome = scene.call();
    CHECK(outcome.attempts.size() == 4);
    CHECK_FALSE(outcome.attempts.back().is_good());
  }
  CHECK(scene.waits == Waits{milliseconds(500), milliseconds(1'000), milliseconds(2'000)});
  CHECK(scene.keys_used() == "k1 k1 k1 k1");
}

TEST_CASE("a time-out is waited out, and nobody was reached") {
  Scene scene;
  for (int i = 0; i < 4; ++i)
    scene.transport.push(fail(ErrorCode::timeout, "reading from host:443: the deadline passed"));
  const auto outcome = scene.call();
  CHECK(scene.waits.size() == 3);
  CHECK_FALSE(outcome.reached);
  CHECK(outcome.attempts[0].what == "time-out: reading from host:443: the deadline passed");
  CHECK(scene.reports[0]["status"] == 0);
}

TEST_CASE("the provider's Retry-After is heeded, unless it asks for too much") {
  Scene scene;
  scene.refuse(503, {{"retry-after", "7"}});
  scene.refuse(503, {{"retry-after", "86400"}});
  const auto outcome = scene.call();
  CHECK(scene.waits == Waits{milliseconds(7'000)});
  CHECK(outcome.attempts.size() == 2);
}

TEST_CASE("an untrusted certificate and a wrong request are not tried again") {
  Scene scene;
  SECTION("TLS") {
    scene.transport.push(
        fail(ErrorCode::unavailable, "TLS with host:443: self-signed certificate"));
  }
  SECTION("request") {
    scene.refuse(400);
  }
  const auto outcome = scene.call();
  CHECK(outcome.attempts.size() == 1);
  CHECK(scene.waits.empty());
  CHECK_FALSE(outcome.attempts[0].is_good());
}

TEST_CASE("an error inside a 200 is none the less one") {
  Scene scene;
  scene.transport.push(200, R"({"error":{"message":"Rate limit reached","code":429}})");
  scene.answer();
  const auto outcome = scene.call();
  CHECK(scene.keys_used() == "k1 k2");
  CHECK(scene.body == kGood);
}

TEST_CASE("a path of one's own stands behind the base URL, with one version in it") {
  Scene scene;
  scene.request.path = "/v1/embeddings";
  scene.answer();
  scene.call();
  CHECK(scene.transport.requests().at(0).url == "https://host/v1/embeddings");
}

TEST_CASE("the tokens of a stream are those of its last events") {
  Scene scene;
  scene.transport.push(200,
                       "data: {\"choices\":[{\"delta\":{\"content\":\"h\"}}]}\n\n"
                       "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":"
                       "2}}\n\ndata: [DONE]\n\n");
  scene.call();
  CHECK(scene.reports[0]["input_tokens"] == 9);
  CHECK(scene.reports[0]["output_tokens"] == 2);
}

TEST_CASE("without an agent nothing is sent") {
  Scene scene;
  scene.keys.clear();
  const auto outcome = scene.call();
  CHECK(outcome.attempts.empty());
  CHECK(outcome.error);
  CHECK(scene.transport.requests().empty());
}
