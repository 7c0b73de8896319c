// What every Transport promises its callers, held by the real one against a loopback server and by
// the scripted one that other tests rely on.

#include <catch2/catch.hpp>

#include "net/server.hpp"
#include "support/scripted_transport.hpp"

using namespace keyherd;
using namespace keyherd::net;

namespace {

// GET /ok → 200, POST /echo → the body, anything else 404.
struct Loopback {
  std::unique_ptr<Server> server;
  std::unique_ptr<Transport> transport = make_http_transport({});
  std::string base;

  Loopback() {
    const auto ok = [](const ServerRequest& request) -> Answer {
      ServerResponse response;
      response.body = "fine " + std::string(request.header("authorization"));
      response.headers.emplace_back("X-Kind", "test");
      return response;
    };
    const auto echo = [](const ServerRequest& request) -> Answer {
      ServerResponse response;
      response.body = request.body;
      return response;
    };
    ServerOptions options;
    options.error_body = [](int status, std::string_view, std::string_view message) {
      ServerResponse response;
      response.status = status;
      response.body = std::string(message);
      return response;
    };
    server = std::move(
        *start_server(std::move(options), {{"GET", "/ok", 0, ok}, {"POST", "/echo", 1'000, echo}}));
    base = "http://127.0.0.1:" + std::to_string(server->port());
  }
};

struct Scripted {
  std::unique_ptr<Transport> transport;
  std::string base = "http://127.0.0.1:1";

  Scripted() {
    auto script = std::make_unique<test::ScriptedTransport>();
    script->set_rule([](const test::RecordedRequest& request) -> Result<HttpResponse> {
      HttpResponse response;
      response.status = 404;
      if (request.url.ends_with("/ok")) {
        response.status = 200;
        response.body = "fine " + (request.secret.empty() ? "" : "Bearer " + request.secret);
        response.headers.emplace("x-kind", "test");
      } else if (request.url.ends_with("/echo")) {
        response.status = 200;
        response.body = request.body;
      }
      return response;
    });
    transport = std::move(script);
  }
};

HttpRequest get(const std::string& url) {
  HttpRequest request;
  request.url = url;
  return request;
}

}  // namespace

TEMPLATE_TEST_CASE("an answer has status, lower-case headers and body; any status is an answer", "",
                   Loopback, Scripted) {
  TestType world;
  const auto ok = world.transport->send(get(world.base + "/ok"), {});
  REQUIRE(ok);
  CHECK(ok->status == 200);
  CHECK(ok->header("x-kind") == "test");
  CHECK(ok->header("absent").empty());
  const auto missing = world.transport->send(get(world.base + "/nowhere"), {});
  REQUIRE(missing);
  CHECK(missing->status == 404);
}

TEMPLATE_TEST_CASE("the secret arrives in its header, the body as it is", "", Loopback, Scripted) {
  TestType world;
  const Secret secret("sk-contract-0123");
  HttpRequest request = get(world.base + "/ok");
  request.secret = &secret;
  CHECK(world.transport->send(request, {})->body == "fine Bearer sk-contract-0123");
  HttpRequest post = get(world.base + "/echo");
  post.method = "POST";
  post.body = R"({"a":1})";
  CHECK(world.transport->send(post, {})->body == post.body);
}
