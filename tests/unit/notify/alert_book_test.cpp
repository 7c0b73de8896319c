#include "notify/alert_book.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace std::chrono_literals;
using keyherd::WallTime;
using keyherd::model::Severity;
using keyherd::notify::AlertBook;
using keyherd::notify::AlertRule;
using keyherd::notify::Finding;
using keyherd::notify::Labels;

const WallTime kStart{1'777'593'600s};
const AlertRule kPatient{"KeyherdPatient", Severity::warning, 60s, "Patience."};
const AlertRule kHasty{"KeyherdHasty", Severity::critical, 0s, "Haste."};

Finding finding(const AlertRule& rule, const std::string& key = "k1") {
  return {&rule, {{"key", key}}, "It is so."};
}

TEST_CASE("an alert carries its name, its severity and what Prometheus' scrape would have added") {
  AlertBook book("keyherd", "host:9925");
  book.update({finding(kHasty)}, kStart);
  const auto alerts = book.alerts();
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].labels == Labels{{"alertname", "KeyherdHasty"},
                                   {"severity", "critical"},
                                   {"job", "keyherd"},
                                   {"instance", "host:9925"},
                                   {"key", "k1"}});
  CHECK(alerts[0].starts_at == kStart);
  CHECK(alerts[0].fires());
}

TEST_CASE("an alert waits until it has held for long enough without a gap") {
  AlertBook book("j", "i");
  book.update({finding(kPatient)}, kStart);
  book.update({finding(kPatient)}, kStart + 59s);
  CHECK(book.alerts().empty());
  book.update({}, kStart + 60s);
  book.update({finding(kPatient)}, kStart + 65s);
  book.update({finding(kPatient)}, kStart + 124s);
  CHECK(book.alerts().empty());
  book.update({finding(kPatient)}, kStart + 125s);
  REQUIRE(book.alerts().size() == 1);
  CHECK(book.alerts()[0].starts_at == kStart + 125s);
}

TEST_CASE("an alert that is over is shown as such for a quarter of an hour, then forgotten") {
  AlertBook book("j", "i");
  book.update({finding(kHasty), finding(kHasty, "k2")}, kStart);
  book.update({finding(kHasty, "k2")}, kStart + 10s);
  auto alerts = book.alerts();
  REQUIRE(alerts.size() == 2);
  CHECK_FALSE(alerts[0].fires());
  CHECK(alerts[0].ends_at == kStart + 10s);
  CHECK(alerts[1].fires());
  book.update({finding(kHasty, "k2")}, kStart + 15min + 9s);
  CHECK(book.alerts().size() == 2);
  book.update({finding(kHasty, "k2")}, kStart + 15min + 10s);
  CHECK(book.alerts().size() == 1);
}

TEST_CASE("an alert that comes again begins anew") {
  AlertBook book("j", "i");
  book.update({finding(kHasty)}, kStart);
  book.update({}, kStart + 10s);
  book.update({finding(kHasty)}, kStart + 20s);
  REQUIRE(book.alerts().size() == 1);
  CHECK(book.alerts()[0].fires());
  CHECK(book.alerts()[0].starts_at == kStart + 20s);
}

}  // namespace
