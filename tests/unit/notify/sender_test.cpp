#include "notify/sender.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "support/manual_clock.hpp"
#include "support/scripted_transport.hpp"

namespace {

using namespace std::chrono_literals;
using keyherd::Secret;
using keyherd::model::NotifyTarget;
using keyherd::model::Severity;
using keyherd::notify::AlertBook;
using keyherd::notify::AlertRule;
using keyherd::notify::Finding;
using keyherd::notify::Sender;
using keyherd::notify::Sent;
using keyherd::test::ManualClock;
using keyherd::test::ScriptedTransport;
using nlohmann::json;

const AlertRule kInfo{"KeyherdQuotaUsageHigh", Severity::info, 0s, "Information."};
const AlertRule kWarning{"KeyherdKeyRejected", Severity::warning, 0s, "A warning."};
const AlertRule kCritical{"KeyherdPoolExhausted", Severity::critical, 0s, "Grave."};

// A book, a sender and a receiver that says 200.
struct Post {
  explicit Post(NotifyTarget::Kind kind, Severity least = Severity::warning)
      : sender({kind, "http://127.0.0.1:9093", {}, least}, nullptr, transport) {
    transport.set_rule([this](const auto&) {
      keyherd::net::HttpResponse response;
      response.status = status;
      return keyherd::Result<keyherd::net::HttpResponse>(response);
    });
  }
  Sent look(const std::vector<Finding>& findings, std::chrono::seconds later = 5s) {
    clock.advance(later);
    book.update(findings, clock.now().wall);
    return sender.send(book.alerts(), clock.now(), {});
  }
  [[nodiscard]] json last() const { return json::parse(transport.requests().back().body); }
  [[nodiscard]] std::size_t count() const { return transport.requests().size(); }

  ManualClock clock;
  int status = 200;
  ScriptedTransport transport;
  AlertBook book{"keyherd", "host:9925"};
  Sender sender;
};

Finding of(const AlertRule& rule, const std::string& key = "k1") {
  return {&rule, {{"key", key}}, "Look at " + key + "."};
}

TEST_CASE("an Alertmanager is told at once, then every minute, and in the end that it is over") {
  Post post(NotifyTarget::Kind::alertmanager);
  CHECK(post.look({}).good == 0);
  CHECK(post.look({of(kWarning)}).good == 1);
  CHECK(post.transport.requests()[0].method == "POST");
  CHECK(post.transport.requests()[0].url == "http://127.0.0.1:9093/api/v2/alerts");
  const json first = post.last();
  REQUIRE(first.size() == 1);
  CHECK(first[0]["labels"] == json{{"alertname", "KeyherdKeyRejected"},
                                   {"severity", "warning"},
                                   {"job", "keyherd"},
                                   {"instance", "host:9925"},
                                   {"key", "k1"}});
  CHECK(first[0]["annotations"]["summary"] == "A warning.");
  CHECK(first[0]["annotations"]["description"] == "Look at k1.");
  CHECK(std::string(first[0]["annotations"]["runbook_url"]).ends_with("KeyherdKeyRejected.md"));
  CHECK(first[0]["startsAt"] == "2026-05-01T00:00:10Z");
  CHECK(first[0]["endsAt"] == "2026-05-01T00:04:10Z");  // by itself, if nobody says it again
  for (int i = 0; i < 11; ++i)
    post.look({of(kWarning)});
  CHECK(post.count() == 1);
  post.look({of(kWarning)});
  CHECK(post.count() == 2);
  post.look({});
  CHECK(post.count() == 3);
  CHECK(post.last()[0]["endsAt"] == "2026-05-01T00:01:15Z");
}

TEST_CASE("what is less grave than the target wants is not sent") {
  Post post(NotifyTarget::Kind::alertmanager, Severity::critical);
  CHECK(post.look({of(kInfo), of(kWarning)}).good == 0);
  CHECK(post.look({of(kInfo), of(kWarning), of(kCritical)}).good == 1);
  CHECK(post.last().size() == 1);
}

TEST_CASE("a webhook is told once of each change") {
  Post post(NotifyTarget::Kind::webhook);
  post.look({of(kWarning)});
  REQUIRE(post.count() == 1);
  CHECK(post.last()["version"] == "4");
  CHECK(post.last()["status"] == "firing");
  CHECK(post.last()["groupLabels"]["alertname"] == "KeyherdKeyRejected");
  CHECK(post.last()["commonLabels"]["key"] == "k1");
  for (int i = 0; i < 100; ++i)
    post.look({of(kWarning)});
  CHECK(post.count() == 1);
  post.look({of(kWarning), of(kWarning, "k2")});
  REQUIRE(post.count() == 2);
  CHECK(post.last()["alerts"].size() == 2);
  CHECK_FALSE(post.last()["commonLabels"].contains("key"));
  post.look({of(kWarning, "k2")});
  REQUIRE(post.count() == 3);
  CHECK(post.last()["status"] == "firing");
  CHECK(post.last()["alerts"][0]["status"] == "resolved");
  CHECK(post.last()["alerts"][1]["status"] == "firing");
  post.look({});
  REQUIRE(post.count() == 4);
  CHECK(post.last()["status"] == "resolved");
  CHECK(post.last()["alerts"].size() == 1);
  for (int i = 0; i < 100; ++i)
    post.look({});
  CHECK(post.count() == 4);
}

TEST_CASE("a webhook is reminded every four hours of what still fires") {
  Post post(NotifyTarget::Kind::webhook);
  post.look({of(kCritical)});
  post.look({of(kCritical)}, 4h - 1s);
  CHECK(post.count() == 1);
  post.look({of(kCritical)}, 1s);
  CHECK(post.count() == 2);
}

TEST_CASE("alerts of another name are another message") {
  Post post(NotifyTarget::Kind::webhook);
  CHECK(post.look({of(kWarning), of(kCritical)}).good == 2);
}

TEST_CASE(
    "what could not be delivered is tried again, and an alert that nobody heard of ends unheard") {
  Post post(NotifyTarget::Kind::webhook);
  post.status = 503;
  CHECK(post.look({of(kWarning)}).failed == 1);
  CHECK(post.look({of(kWarning)}).problem == "it answered 503");
  post.status = 200;
  CHECK(post.look({of(kWarning)}).good == 1);
  post.status = 503;
  post.look({of(kWarning), of(kWarning, "k2")});
  post.status = 200;
  const std::size_t before = post.count();
  post.look({of(kWarning)});  // k2 came and went
  CHECK(post.count() == before);
}

TEST_CASE("the token travels as a secret") {
  ScriptedTransport transport;
  transport.push(200, "");
  Sender sender({NotifyTarget::Kind::webhook, "https://hooks.example/keyherd", {}, Severity::info},
                std::make_shared<const Secret>(std::string("sk-hook-token")), transport);
  AlertBook book("j", "i");
  const ManualClock clock;
  book.update({of(kInfo)}, clock.now().wall);
  CHECK(sender.send(book.alerts(), clock.now(), {}).good == 1);
  CHECK(transport.requests()[0].secret == "sk-hook-token");
  CHECK(transport.requests()[0].url == "https://hooks.example/keyherd");
  CHECK(transport.requests()[0].body.find("sk-hook-token") == std::string::npos);
}

}  // namespace
