#include "cron/schedule.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <ctime>

#include "base/time_text.hpp"
#include "times.hpp"

namespace keyherd::test {
namespace {

using Catch::Matchers::Contains;
using cron::Schedule;
using namespace std::chrono_literals;

std::string error_of(std::string_view expression, std::string_view timezone = "UTC") {
  const std::clock_t begin = std::clock();  // of this process: others may have the machine
  const auto parsed = Schedule::parse(expression, timezone);
  CHECK(std::clock() - begin < CLOCKS_PER_SEC / 100);
  REQUIRE_FALSE(parsed.has_value());
  CHECK(parsed.error().code == ErrorCode::invalid);
  CHECK(parsed.error().message.size() < 500);
  return parsed.error().message;
}

TEST_CASE("what is not a schedule is refused, quickly") {
  (void)Schedule::parse("* * * * *", "Mars/Olympus");  // loads the list of zones
  const std::vector<std::string> rejected{
      "*/0 * * * *",
      "*/61 * * * *",
      "60 * * * *",
      "0 24 * * *",
      "0 0 0 * *",
      "0 0 * 0 *",
      "0 0 * 13 *",
      "0 0 * * 8",
      "1,2,,3 * * * *",
      "1-2-3 * * * *",
      "*/2/2 * * * *",
      "-1 * * * *",
      "* * * *",
      "0 0 0 * * * 2026",
      "60 0 0 * * *",
      "*/61 0 0 * * *",
      "Monday",
      "H H * * *",
      "0 22-2 * * *",
      "0 0 * 11-2 *",
      "",
      "   ",
      "0 0 30 2 *",
      "0 0 31 4,6,9,11 *",
      "0 0 30W 2 *",
      "0 0 * 2 +5#5,6#6",
      "0 0 * * 5#6",
      "0 0 * * 5#0",
      "0 0 * * 0L",
      "0 0 0L * *",
      "0 0 * * 5W",
      "0 15W * * *",
      "0 0 32W * *",
      "0 0 5-10W * *",
      "0 0 W * *",
      "0 0 * * L",
      "0 0 * * #2",
      "0 0 * * *#2",
      "0 0 * monday *",
      "0 0 * * monday",
      "0 0 * january *",
      "0 0 * NOV-FEB *",
      "0 0 * * 6-0",
      "0 0 * * 7-2",
      "0-5/7 * * * *",
      ", * * * *",
      "1, * * * *",
      "1- * * * *",
      "*/ * * * *",
      "*/-2 * * * *",
      "*-5 * * * *",
      "? * * * *",
      "1.5 * * * *",
      "0x5 * * * *",
      "+1 * * * *",
      "0 0 * * +",
      "@",
      "@reboot",
      "@every",
      "@every 0s",
      "@every 500ms",
      "@every 5",
      "@every -5m",
      "@daily 5",
      "@dailyy",
      "99999999999999999999 * * * *",
  };
  for (const std::string& expression : rejected) {
    INFO("expression: " << expression);
    CHECK_FALSE(error_of(expression).empty());
  }
}

TEST_CASE("hostile input is refused without being repeated") {
  std::string many;
  while (many.size() < 10'000)
    many += "1,";
  CHECK_THAT(error_of(many + " * * * *"), Contains("bytes long"));
  CHECK_THAT(error_of(std::string("* * \0 * *", 9)), Contains("column 5"));
  CHECK_THAT(error_of("\xEF\xBC\x91 * * * *"), Contains("column 1"));
  CHECK_THAT(error_of("* * * * *\n* * * * *"), Contains("column 10"));
  CHECK_THAT(error_of("* * * * *", "../../etc/passwd"), Contains("is not known"));
  CHECK_THAT(error_of("* * * * *", "/etc/passwd"), Contains("is not known"));
}

TEST_CASE("an error names the field, the column and the token") {
  CHECK(error_of("0 24 * * *") ==
        "cron expression \"0 24 * * *\": hour field, column 3: \"24\" is out of range; 0 to 23");
  CHECK(error_of("0 0 * * 1,8") ==
        "cron expression \"0 0 * * 1,8\": day of week field, column 11: \"8\" is out of range; "
        "0 to 7 or SUN to SAT");
  CHECK(error_of("0 0 0 * * * 2026") ==
        "cron expression \"0 0 0 * * * 2026\": has 7 fields, needs 5: minute hour day-of-month "
        "month day-of-week, or 6 with seconds before them (years are not offered)");
  CHECK(
      error_of("60 0 0 * * *") ==
      "cron expression \"60 0 0 * * *\": second field, column 1: \"60\" is out of range; 0 to 59");
  CHECK(error_of("0 0 30 2 *") ==
        "cron expression \"0 0 30 2 *\": day of month \"30\" never comes in month \"2\"");
  CHECK_THAT(error_of("*/0 * * * *"), Contains("minute field, column 1: \"*/0\""));
  CHECK_THAT(error_of("*/61 * * * *"), Contains("steps by 61 over only 60 values"));
  CHECK_THAT(error_of("0 22-2 * * *"), Contains("\"22-2\" runs backwards"));
  CHECK_THAT(error_of("1,2,,3 * * * *"), Contains("empty list item"));
  CHECK_THAT(error_of("0 3 * * *", "Mars/Olympus"), Contains("\"Mars/Olympus\""));
  CHECK_THAT(error_of("0 3 * * *", "asia/singapore"), Contains("did you mean \"Asia/Singapore\""));
}

TEST_CASE("a sixth field, the first, is seconds") {
  const Schedule schedule = test::schedule("15,45 30 2 * * *", "America/New_York");
  CHECK(texts(schedule.next_n(utc("2026-03-06 12:00"), 2)) ==
        std::vector<std::string>{"2026-03-07T07:30:15Z", "2026-03-07T07:30:45Z"});
  // The night without 02:30: once, when the gap ends.
  CHECK(texts(schedule.next_n(utc("2026-03-07 12:00"), 2)) ==
        std::vector<std::string>{"2026-03-08T07:00:00Z", "2026-03-09T06:30:15Z"});
  CHECK_THAT(schedule.notes().front(), Contains("is seconds"));
  CHECK(test::schedule("0 3 * * *").notes().empty());
}

TEST_CASE("blanks around and between fields do not matter") {
  const Schedule one = schedule("  0\t3  * * *  ");
  CHECK(one.expression() == "0\t3  * * *");
  CHECK(one.next(utc("2026-05-01")) == utc("2026-05-01 03:00"));
}

TEST_CASE("next is strictly later, to the nanosecond") {
  const Schedule daily = schedule("0 3 * * *");
  CHECK(daily.next(utc("2026-05-01 03:00") - 1ns) == utc("2026-05-01 03:00"));
  CHECK(daily.next(utc("2026-05-01 03:00")) == utc("2026-05-02 03:00"));
  CHECK(daily.next(utc("2026-05-01 03:00") + 1ns) == utc("2026-05-02 03:00"));
}

TEST_CASE("the end of representable time is an answer, not a crash") {
  const Schedule daily = schedule("0 3 * * *", "America/New_York");
  CHECK_FALSE(daily.next(WallTime::max()).has_value());
  CHECK_FALSE(daily.next(utc("2261-12-31 23:00")).has_value());
  CHECK(daily.next(WallTime::min()).has_value());
  CHECK(schedule("@every 1h").next(WallTime::min()).has_value());
  CHECK_FALSE(schedule("@every 1h").latest(WallTime::min()).has_value());
  CHECK_FALSE(schedule("@every 36500d").next(utc("2200-01-01")).has_value());
  CHECK(schedule("@every 90m").latest(utc("1970-01-01")) == utc("1970-01-01"));
  CHECK(daily.local(utc("2026-03-08 07:00")) == "2026-03-08T03:00:00-04:00");
}

TEST_CASE("the latest firing is the one that next led to") {
  for (const std::string_view expression : {"* * * * *", "*/7 3 * * *", "0 3 * * *", "0 0 L * *",
                                            "0 0 29 2 *", "@every 36h", "30 2 * * SUN"}) {
    const Schedule one = schedule(expression, "America/New_York");
    INFO("expression: " << expression);
    const auto firings = one.next_n(utc("2026-03-01 00:00:30"), 40);
    REQUIRE(firings.size() >= 10);
    for (std::size_t index = 1; index < firings.size(); ++index) {
      CHECK(firings[index] > firings[index - 1]);
      CHECK(one.latest(firings[index]) == firings[index]);
      CHECK(one.latest(firings[index] - 1ns) == firings[index - 1]);
      CHECK(one.next(firings[index] - 1ns) == firings[index]);
      const WallTime between = firings[index - 1] + (firings[index] - firings[index - 1]) / 2;
      CHECK(one.next(between) == firings[index]);
    }
  }
}

TEST_CASE("the latest firing is found quickly however dense the firings before a long pause") {
  const Schedule one = schedule("* * * 1 *", "America/New_York");
  const std::clock_t begin = std::clock();
  for (int day = 0; day < 100; ++day)
    REQUIRE(one.latest(utc("2026-08-01") + day * 24h) == utc("2026-02-01 04:59"));
  CHECK(std::clock() - begin < CLOCKS_PER_SEC);
}

TEST_CASE("missed firings are counted up to a cap and the latest stays exact") {
  const Schedule hourly = schedule("0 * * * *");
  const auto three_days = hourly.between(utc("2026-05-01 00:30"), utc("2026-05-04 00:30"), 1000);
  CHECK(three_days.count == 72);
  CHECK(three_days.latest == utc("2026-05-04 00:00"));

  const Schedule minutely = schedule("* * * * *", "America/New_York");
  const std::clock_t begin = std::clock();
  const auto many = minutely.between(utc("2026-05-01"), utc("2026-05-01") + 100'000min, 200'000);
  CHECK(many.count == 100'000);
  CHECK(many.latest == utc("2026-05-01") + 100'000min);
  const auto capped = minutely.between(utc("1990-01-01"), utc("2026-05-01 12:00:30"), 100);
  CHECK(capped.count == 100);
  CHECK(capped.latest == utc("2026-05-01 12:00"));
  CHECK(std::clock() - begin < CLOCKS_PER_SEC);

  const auto none = hourly.between(utc("2026-05-01"), utc("2026-05-01 00:59"), 10);
  CHECK(none.count == 0);
  CHECK_FALSE(none.latest.has_value());
  CHECK(hourly.between(utc("2026-05-02"), utc("2026-05-01"), 10).count == 0);
}

TEST_CASE("a schedule says in words what it means") {
  const auto words = [](std::string_view expression) { return schedule(expression).describe(); };
  CHECK(words("0 0 3 * * *") == words("0 3 * * *"));
  CHECK(words("30 0 3 * * *") == "at 03:00, at second 30 of the minute, every day (UTC)");
  CHECK(words("*/10 * * * * MON") ==
        "every minute, every 10 seconds of the minute, on Monday (UTC)");
  CHECK(schedule("0 3 * * *", "Asia/Singapore").describe() ==
        "at 03:00 every day (Asia/Singapore)");
  CHECK(words("* * * * *") == "every minute every day (UTC)");
  CHECK(words("*/15 * * * *") == "every 15 minutes every day (UTC)");
  CHECK(words("*/7 * * * *") ==
        "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour every day (UTC)");
  CHECK(words("0 */6 * * *") == "every 6 hours every day (UTC)");
  CHECK(words("@hourly") == "every hour every day (UTC)");
  CHECK(words("5 * * * 1-5") == "at minute 5 of every hour on Monday to Friday (UTC)");
  CHECK(words("*/10 9-17 * * *") == "every 10 minutes of hours 9 to 17 every day (UTC)");
  CHECK(words("0,30 2 1,15 * *") == "at 02:00 and 02:30 on days 1 and 15 of the month (UTC)");
  CHECK(words("0 0 13 * 5") == "at 00:00 on day 13 of the month and also on Friday (UTC)");
  CHECK(words("0 0 8-14 * +1") ==
        "at 00:00 on days 8 to 14 of the month, if it falls on Monday (UTC)");
  CHECK(words("0 0 LW JAN,JUL *") ==
        "at 00:00 on the last working day of the month in January and July (UTC)");
  CHECK(words("0 4 15W * *") == "at 04:00 on the working day nearest to day 15 of the month (UTC)");
  CHECK(words("0 0 * * 5L,MON#2") ==
        "at 00:00 on the second Monday of the month and the last Friday of the month (UTC)");
  CHECK(words("0 0 * * FRI-SUN") == "at 00:00 on Friday to Sunday (UTC)");
  CHECK(words("@every 90m") == "every 1h30m, counted from 1970-01-01T00:00:00Z (UTC)");
}

TEST_CASE("notes tell what the writer may not have meant") {
  CHECK(schedule("0 3 * * *").notes().empty());
  CHECK(schedule("*/15 * * * *").notes().empty());
  CHECK(schedule("0 0 */1 * 1").notes().empty());
  CHECK(schedule("@every 7m").notes().empty());
  REQUIRE(schedule("5/15 * * * *").notes().size() == 1);
  CHECK_THAT(schedule("5/15 * * * *").notes()[0], Contains("\"5-59/15\""));
  REQUIRE(schedule("*/7 * * * *").notes().size() == 1);
  CHECK_THAT(schedule("*/7 * * * *").notes()[0], Contains("last interval is shorter"));
  CHECK_THAT(schedule("0 0 13 * 5").notes().at(0), Contains("\"+5\""));
  CHECK_THAT(schedule("0 0 31 * *").notes().at(0), Contains("last day of every month is L"));
}

TEST_CASE("a star with a step lists both readings with their next firings") {
  const Schedule both = schedule("0 0 */10 * 0");
  CHECK(both.notes().size() == 2);
  const std::string note = both.notes(utc("2012-07-02")).at(1);
  CHECK_THAT(note, Contains("Here: 2012-07-08T00:00:00+00:00, 2012-07-11T00:00:00+00:00, "
                            "2012-07-15T00:00:00+00:00"));
  CHECK_THAT(note, Contains("there: 2012-10-21T00:00:00+00:00, 2012-11-11T00:00:00+00:00, "
                            "2013-03-31T00:00:00+00:00"));
}

TEST_CASE("unusual firings are explained") {
  const Schedule half_past_two = schedule("30 2 * * *", "America/New_York");
  CHECK(half_past_two.remark(utc("2026-03-08 07:00")) ==
        "02:30 does not exist on this day: the clock goes from 02:00 to 03:00");
  CHECK_FALSE(half_past_two.remark(utc("2026-03-09 06:30")).has_value());
  const Schedule half_past_one = schedule("30 1 * * *", "America/New_York");
  CHECK(half_past_one.remark(utc("2026-11-01 05:30")) ==
        "01:30 comes twice; this is the first time, the second does not fire");
  const Schedule often = schedule("*/20 1 * * *", "America/New_York");
  CHECK(often.remark(utc("2026-11-01 05:20")) == "01:20 comes twice; this is the first time");
  CHECK(often.remark(utc("2026-11-01 06:20")) == "01:20 comes for the second time");
  CHECK_FALSE(often.remark(utc("2026-11-02 06:20")).has_value());
  CHECK_FALSE(schedule("@every 1h").remark(utc("2026-11-01 06:00")).has_value());
}

}  // namespace
}  // namespace keyherd::test
