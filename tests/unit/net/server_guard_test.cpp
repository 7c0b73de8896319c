// Guards that take their time: nobody else waits for them.

#include <atomic>
#include <catch2/catch.hpp>

#include "http_fixture.hpp"
#include "net/server.hpp"
#include "raw_peer.hpp"

using namespace keyherd;
using namespace keyherd::net;
using test::body_of;
using test::HttpFixture;
using test::RawClient;
using test::request_text;
using test::status_of;

namespace {

// "slow" cannot be decided at once; while `held`, not even later.
struct SlowGuard {
  explicit SlowGuard(HttpFixture& http) {
    http.options.guard = [this](ServerRequest& request, const Route&,
                                bool may_take_long) -> Admission {
      const std::string who(request.header("authorization"));
      if (who != "slow")
        return {};
      if (!may_take_long)
        return {Admission::Kind::undecided};
      ++deciding;
      test::eventually([this] { return !held; });
      request.caller = who;
      return {};
    };
  }
  std::atomic<bool> held = true;
  std::atomic<int> deciding = 0;
};

}  // namespace

TEST_CASE("who can be told at once does not wait for who cannot") {
  HttpFixture http;
  http.options.workers = 1;
  http.options.undecided_limit = 2;
  SlowGuard guard(http);
  http.start();
  std::vector<RawClient> slow;
  for (int i = 0; i < 3; ++i)
    slow.emplace_back(http.port());
  slow[0].send(request_text("GET /hello HTTP/1.1", "Authorization: slow\r\n"));
  REQUIRE(test::eventually([&] { return guard.deciding == 1; }));
  slow[1].send(request_text("GET /hello HTTP/1.1", "Authorization: slow\r\n"));
  slow[2].send(request_text("GET /hello HTTP/1.1", "Authorization: slow\r\n"));
  RawClient quick(http.port());
  quick.send(request_text("GET /keys/k HTTP/1.1"));
  CHECK(body_of(quick.read_answer()) == "k");
  RawClient excess(http.port());
  excess.send(request_text("GET /hello HTTP/1.1", "Authorization: slow\r\n"));
  const std::string told = excess.read_answer();
  CHECK(status_of(told) == 503);
  CHECK_THAT(told, Catch::Contains("\r\nRetry-After: 1\r\n"));
  guard.held = false;
  for (RawClient& client : slow)
    CHECK(body_of(client.read_answer()) == "hello");
}

TEST_CASE("handlers see whom the guard found") {
  HttpFixture http;
  SlowGuard guard(http);
  guard.held = false;
  http.start();
  RawClient client(http.port());
  client.send(request_text("GET /hello HTTP/1.1", "Authorization: slow\r\n"));
  CHECK(status_of(client.read_answer()) == 200);
  CHECK(std::any_cast<std::string>(http.last_request().caller) == "slow");
}

TEST_CASE("usual headers are on every answer, refusals included, and a handler's own goes before") {
  HttpFixture http;
  http.options.headers = {{"X-Frame-Options", "DENY"}, {"Cache-Control", "no-store"}};
  http.routes.push_back({"GET", "/own", 0, [](const ServerRequest&) {
                           ServerResponse response = test::text_response("own");
                           response.headers.emplace_back("cache-control", "max-age=5");
                           return response;
                         }});
  http.start();
  RawClient client(http.port());
  for (const char* target : {"/hello", "/missing", "/throw"}) {
    client.send(request_text("GET " + std::string(target) + " HTTP/1.1"));
    const std::string answer = client.read_answer();
    CHECK_THAT(answer, Catch::Contains("\r\nX-Frame-Options: DENY\r\n"));
    CHECK_THAT(answer, Catch::Contains("\r\nCache-Control: no-store\r\n"));
  }
  client.send(request_text("GET /own HTTP/1.1"));
  const std::string own = client.read_answer();
  CHECK_THAT(own, Catch::Contains("max-age=5"));
  CHECK_THAT(own, !Catch::Contains("no-store"));
}
