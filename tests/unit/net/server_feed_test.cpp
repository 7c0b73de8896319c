// Feeds: answers without an end, whose pieces come when something happens.

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <mutex>

#include "http_fixture.hpp"
#include "net/server.hpp"
#include "raw_peer.hpp"

using namespace keyherd;
using namespace keyherd::net;
using std::chrono::milliseconds;
using test::HttpFixture;
using test::RawClient;
using test::request_text;
using test::status_of;

namespace {

// What all feeds of a test say; each remembers how far it has told it.
struct News {
  std::mutex mutex;
  std::string text;
  bool over = false;
  std::atomic<int> feeds = 0;
  std::atomic<int> asked = 0;
};

class NewsFeed final : public Feed {
 public:
  explicit NewsFeed(News& news) : news_(news) { ++news_.feeds; }
  ~NewsFeed() override { --news_.feeds; }
  bool next(std::string& piece, bool quiet) override {
    ++news_.asked;
    const std::lock_guard lock(news_.mutex);
    if (news_.text == "throw")
      throw std::runtime_error("sk-SECRET123");
    piece = news_.text.substr(told_, 65'536);
    told_ += piece.size();
    if (piece.empty() && quiet)
      piece = "alive";
    return !news_.over;
  }

 private:
  News& news_;
  std::size_t told_ = 0;
};

struct FeedFixture {
  FeedFixture() {
    http.routes.push_back({"GET", "/news", 0, [this](const ServerRequest&) {
                             ServerResponse response;
                             response.content_type = "text/event-stream";
                             response.feed = std::make_shared<NewsFeed>(news);
                             return response;
                           }});
  }
  void say(const std::string& text, bool over = false) {
    {
      const std::lock_guard lock(news.mutex);
      news.text += text;
      news.over = over;
    }
    http.server->wake();
  }
  std::unique_ptr<RawClient> follow() {
    const int before = news.feeds;
    auto client = std::make_unique<RawClient>(http.port());
    client->send(request_text("GET /news HTTP/1.1", "Connection: close\r\n"));
    REQUIRE(test::eventually([&] { return news.feeds > before; }));
    return client;
  }

  News news;
  HttpFixture http;
};

}  // namespace

TEST_CASE("what happens is sent when it happens, to all who follow, and the end is an end") {
  FeedFixture fixture;
  fixture.http.options.workers = 2;
  fixture.http.start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 200; ++i)
    clients.push_back(fixture.follow());
  fixture.say("one");
  REQUIRE(test::eventually([&] { return fixture.news.asked >= 400; }));
  fixture.say("two", true);
  for (auto& client : clients) {
    const std::string answer = client->read_to_end();
    CHECK(status_of(answer) == 200);
    CHECK_THAT(answer, Catch::Contains("Content-Type: text/event-stream\r\n"));
    CHECK_THAT(answer, Catch::Contains("Transfer-Encoding: chunked\r\n"));
    CHECK_THAT(answer, Catch::Contains("one"));
    CHECK_THAT(answer, Catch::EndsWith("two\r\n0\r\n\r\n"));
  }
  CHECK(fixture.news.feeds == 0);
}

TEST_CASE("silence is broken by a sign of life") {
  FeedFixture fixture;
  fixture.http.options.alive_every = milliseconds(20);
  fixture.http.start();
  const auto client = fixture.follow();
  REQUIRE(test::eventually([&] { return fixture.news.asked >= 4; }));
  fixture.say("", true);
  CHECK_THAT(client->read_to_end(), Catch::Contains("alive"));
}

TEST_CASE("a client that does not read costs one piece, and is given up") {
  FeedFixture fixture;
  fixture.http.options.write_deadline = milliseconds(200);
  fixture.http.start();
  const auto client = fixture.follow();
  const double before = test::resident_mib();
  fixture.say(std::string(64U << 20U, 'x'));
  CHECK(test::eventually([&] { return fixture.news.feeds == 0; }));
  CHECK(test::resident_mib() - before < 100);  // the text itself, twice at most while it grows
}

TEST_CASE("clients that leave, throw or are one too many leave the others be") {
  FeedFixture fixture;
  fixture.http.options.max_waiting = 2;
  fixture.http.start();
  auto leaving = fixture.follow();
  auto staying = fixture.follow();
  RawClient excess(fixture.http.port());
  excess.send(request_text("GET /news HTTP/1.1"));
  const std::string told = excess.read_answer();
  CHECK(status_of(told) == 503);
  CHECK_THAT(told, Catch::Contains("\r\nRetry-After: 1\r\n"));
  leaving->close();
  REQUIRE(test::eventually([&] { return fixture.news.feeds == 1; }));
  auto next = fixture.follow();
  fixture.say("throw");
  CHECK(test::eventually([&] { return fixture.news.feeds == 0; }));
  const std::string answer = staying->read_to_end();
  CHECK(answer.find("SECRET") == std::string::npos);
  CHECK_THAT(answer, !Catch::EndsWith("0\r\n\r\n"));
}

TEST_CASE("a stop ends feeds in order") {
  FeedFixture fixture;
  fixture.http.start();
  const auto client = fixture.follow();
  const auto began = std::chrono::steady_clock::now();
  fixture.http.server->stop();
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(2));
  CHECK_THAT(client->read_to_end(), Catch::EndsWith("0\r\n\r\n"));
}
