// Requests that wait in the front: woken, expired, abandoned, stopped.

#include <catch2/catch.hpp>
#include <chrono>

#include "http_fixture.hpp"
#include "raw_peer.hpp"

using namespace keyherd;
using namespace keyherd::net;
using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;
using test::body_of;
using test::HttpFixture;
using test::RawClient;
using test::request_text;
using test::status_of;

namespace {

// GET /wait answers when the generation has changed; ?ms= is its patience.
struct ParkingFixture : HttpFixture {
  ~ParkingFixture() { server.reset(); }
  ParkingFixture() {
    options.workers = 2;
    options.queue_limit = 1'000;  // the clients send faster than two workers take
    routes.push_back(Route{"GET", "/wait", 0, [this](const ServerRequest& request) -> Answer {
                             const auto span = request.parameter("ms").value_or("20000");
                             Park park;
                             park.deadline = Steady::now() + milliseconds(std::stoi(span));
                             park.poll = [this, alive = alive]() -> std::optional<ServerResponse> {
                               ++polls;
                               if (throws)
                                 throw std::runtime_error("sk-SECRET123");
                               if (generation == 0)
                                 return std::nullopt;
                               return test::text_response("new");
                             };
                             park.at_deadline = [] { return test::text_response("same"); };
                             park.long_wait = long_wait;
                             ++parked;
                             return park;
                           }});
  }
  std::atomic<int> generation = 0;
  std::atomic<int> parked = 0;
  std::atomic<int> polls = 0;
  std::atomic<bool> throws = false;
  std::atomic<bool> long_wait = false;
  std::shared_ptr<int> alive = std::make_shared<int>();  // held by each parked request
};

std::vector<std::unique_ptr<RawClient>> park_clients(ParkingFixture& http, int count) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<RawClient>(http.port()));
    clients.back()->send(request_text("GET /wait HTTP/1.1"));
  }
  REQUIRE(test::eventually([&] { return http.polls >= count; }));
  return clients;
}

}  // namespace

TEST_CASE("five hundred parked requests cost no thread and are answered at once when woken") {
  ParkingFixture http;
  http.start();
  const auto clients = park_clients(http, 500);
  RawClient other(http.port());
  other.send(request_text("GET /hello HTTP/1.1"));
  CHECK(body_of(other.read_answer()) == "hello");
  http.generation = 1;
  const auto began = Steady::now();
  http.server->wake();
  CHECK(test::eventually([&] { return http.observed().size() == 501; }));
  const auto took = Steady::now() - began;
  for (const auto& client : clients)
    REQUIRE(body_of(client->read_answer()) == "new");
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
  CHECK(took < milliseconds(50));
#else
  CHECK(took < milliseconds(1'000));
#endif
}

TEST_CASE("a change between the handler and the parking is not missed") {
  ParkingFixture http;
  http.generation = 1;
  http.start();
  RawClient client(http.port());
  client.send(request_text("GET /wait HTTP/1.1"));
  CHECK(body_of(client.read_answer()) == "new");
}

TEST_CASE("a parked request ends at its deadline, and its connection goes on") {
  ParkingFixture http;
  http.start();
  RawClient client(http.port());
  const auto began = Steady::now();
  client.send(request_text("GET /wait?ms=100 HTTP/1.1") + request_text("GET /hello HTTP/1.1"));
  CHECK(body_of(client.read_answer()) == "same");
  CHECK(Steady::now() - began >= milliseconds(100));
  CHECK(body_of(client.read_answer()) == "hello");
}

TEST_CASE("a wake without news leaves the parked where they are") {
  ParkingFixture http;
  http.start();
  const auto clients = park_clients(http, 3);
  const int before = http.polls;
  http.server->wake();
  REQUIRE(test::eventually([&] { return http.polls >= before + 3; }));
  CHECK(http.observed().empty());
  http.generation = 1;
  http.server->wake();
  for (const auto& client : clients)
    CHECK(body_of(client->read_answer()) == "new");
}

TEST_CASE("a client that leaves while parked is forgotten") {
  ParkingFixture http;
  http.start();
  const long idle = http.alive.use_count();
  auto clients = park_clients(http, 20);
  CHECK(http.alive.use_count() >= idle + 20);
  clients.clear();
  CHECK(test::eventually([&] { return http.alive.use_count() == idle; }));
}

TEST_CASE("what a parked request throws stays inside") {
  ParkingFixture http;
  http.start();
  const auto clients = park_clients(http, 1);
  http.throws = true;
  http.server->wake();
  const std::string answer = clients[0]->read_answer();
  CHECK(status_of(answer) == 500);
  CHECK(answer.find("SECRET") == std::string::npos);
}

TEST_CASE("a stop answers the parked as their deadline would") {
  ParkingFixture http;
  http.start();
  const auto clients = park_clients(http, 5);
  const auto began = Steady::now();
  std::jthread stopper([&] { http.server->stop(); });
  for (const auto& client : clients) {
    const std::string answer = client->read_to_end();
    CHECK(body_of(answer) == "same");
    CHECK_THAT(answer, Catch::Contains("\r\nConnection: close\r\n"));
    client->close();
  }
  stopper.join();
  CHECK(Steady::now() - began < milliseconds(2'000));
}

TEST_CASE("clients that wait for news have a limit; answers that are on their way do not count") {
  ParkingFixture http;
  http.options.max_waiting = 2;
  http.start();
  const auto short_ones = park_clients(http, 5);
  http.long_wait = true;
  http.polls = 0;
  const auto long_ones = park_clients(http, 2);
  RawClient excess(http.port());
  excess.send(request_text("GET /wait HTTP/1.1"));
  const std::string told = excess.read_answer();
  CHECK(status_of(told) == 503);
  CHECK_THAT(told, Catch::Contains("\r\nRetry-After: 1\r\n"));
}
