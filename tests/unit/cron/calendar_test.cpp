#include "cron/calendar.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "times.hpp"

namespace keyherd::test {
namespace {

using cron::CalendarUnit;
using cron::Window;
using cron::window_at;
using namespace std::chrono_literals;

Window window(CalendarUnit unit, std::string_view timezone, std::string_view at) {
  return window_at(unit, timezone, utc(at)).value();
}

Window range(std::string_view start, std::string_view end) {
  return {utc(start), utc(end)};
}

TEST_CASE("time zones are names from a list, never paths") {
  CHECK(cron::is_timezone("UTC"));
  CHECK(cron::is_timezone("Asia/Singapore"));
  CHECK(cron::is_timezone("America/Argentina/Buenos_Aires"));
  for (const std::string_view name :
       {"", "../../etc/passwd", "/etc/passwd", "Mars/Olympus", "localtime", "posixrules",
        "tzdata.zi", "Europe", "europe/berlin", "UTC ", "Asia/Singapore/", "./UTC"}) {
    INFO("name: " << name);
    CHECK_FALSE(cron::is_timezone(name));
  }
  CHECK_FALSE(cron::is_timezone(std::string(100'000, 'A')));
  CHECK_FALSE(cron::is_timezone(std::string_view("UTC\0", 4)));
}

TEST_CASE("the release of the zone data looks like one") {
  const std::string version = cron::tzdata_version();
  REQUIRE(version.size() >= 5);
  CHECK((version == "unknown" || (version.substr(0, 2) == "20" && version.size() <= 16)));
}

TEST_CASE("local times carry their offset and, if the zone has one, their abbreviation") {
  CHECK(cron::format_local(utc("2026-03-08 07:00"), "America/New_York").value() ==
        "2026-03-08T03:00:00-04:00");
  CHECK(cron::format_local_named(utc("2026-03-08 07:00"), "America/New_York").value() ==
        "2026-03-08T03:00:00-04:00 EDT");
  CHECK(cron::format_local_named(utc("2026-03-08 07:00"), "Asia/Singapore").value() ==
        "2026-03-08T15:00:00+08:00");
  CHECK(cron::format_local(utc("2026-03-08 07:00"), "Asia/Kathmandu").value() ==
        "2026-03-08T12:45:00+05:45");
  CHECK(cron::format_local(utc("2026-03-08 07:00"), "Pacific/Marquesas").value() ==
        "2026-03-07T21:30:00-09:30");
  CHECK(cron::format_local(utc("2026-03-08 07:00"), "nowhere").error().code == ErrorCode::invalid);
}

TEST_CASE("days, weeks and months follow the local calendar") {
  CHECK(window(CalendarUnit::day, "Asia/Singapore", "2026-05-01 20:00") ==
        range("2026-05-01 16:00", "2026-05-02 16:00"));
  CHECK(window(CalendarUnit::week, "UTC", "2026-05-03 23:59:59") ==
        range("2026-04-27", "2026-05-04"));
  CHECK(window(CalendarUnit::week, "UTC", "2026-05-04") == range("2026-05-04", "2026-05-11"));
  CHECK(window(CalendarUnit::month, "Asia/Singapore", "2026-02-28 16:00") ==
        range("2026-02-28 16:00", "2026-03-31 16:00"));
  CHECK(window(CalendarUnit::month, "UTC", "2028-02-29") == range("2028-02-01", "2028-03-01"));
  CHECK(window(CalendarUnit::month, "UTC", "2026-12-31") == range("2026-12-01", "2027-01-01"));
}

TEST_CASE("days of 23 and 25 hours") {
  CHECK(window(CalendarUnit::day, "America/New_York", "2026-03-08 12:00") ==
        range("2026-03-08 05:00", "2026-03-09 04:00"));
  CHECK(window(CalendarUnit::day, "America/New_York", "2026-11-01 12:00") ==
        range("2026-11-01 04:00", "2026-11-02 05:00"));
  CHECK(window(CalendarUnit::week, "Europe/Berlin", "2027-03-28 12:00") ==
        range("2027-03-21 23:00", "2027-03-28 22:00"));
}

TEST_CASE("a day whose midnight is missing begins at the end of the gap") {
  CHECK(window(CalendarUnit::day, "America/Santiago", "2026-09-06 03:59:59") ==
        range("2026-09-05 04:00", "2026-09-06 04:00"));
  CHECK(window(CalendarUnit::day, "America/Santiago", "2026-09-06 04:00") ==
        range("2026-09-06 04:00", "2026-09-07 03:00"));
  // 30 December 2011 does not exist in Apia.
  CHECK(window(CalendarUnit::day, "Pacific/Apia", "2011-12-30 09:59:59") ==
        range("2011-12-29 10:00", "2011-12-30 10:00"));
  CHECK(window(CalendarUnit::day, "Pacific/Apia", "2011-12-30 10:00") ==
        range("2011-12-30 10:00", "2011-12-31 10:00"));
}

TEST_CASE("a day whose midnight comes twice begins with the first") {
  // 2006-10-29 00:01 in St. John's fell back to 23:01 of the day before.
  CHECK(window(CalendarUnit::day, "America/St_Johns", "2006-10-29 02:30") ==
        range("2006-10-29 02:30", "2006-10-30 03:30"));
  CHECK(window(CalendarUnit::day, "America/St_Johns", "2006-10-29 03:00") ==
        range("2006-10-29 02:30", "2006-10-30 03:30"));
  // In Havana 01:00 falls back to 00:00.
  CHECK(window(CalendarUnit::day, "America/Havana", "2026-11-01 05:30") ==
        range("2026-11-01 04:00", "2026-11-02 05:00"));
}

TEST_CASE("minutes and hours follow elapsed time at the local offset") {
  CHECK(window(CalendarUnit::minute, "UTC", "2026-05-01 10:15:59") ==
        range("2026-05-01 10:15", "2026-05-01 10:16"));
  CHECK(window(CalendarUnit::hour, "Asia/Kathmandu", "2026-05-01 10:15") ==
        range("2026-05-01 10:15", "2026-05-01 11:15"));
  CHECK(window(CalendarUnit::hour, "America/New_York", "2026-11-01 06:30") ==
        range("2026-11-01 06:00", "2026-11-01 07:00"));
  // Lord Howe moves by half an hour: the hours around it are cut there.
  CHECK(window(CalendarUnit::hour, "Australia/Lord_Howe", "2026-10-03 15:15") ==
        range("2026-10-03 14:30", "2026-10-03 15:30"));
  CHECK(window(CalendarUnit::hour, "Australia/Lord_Howe", "2026-10-03 15:30") ==
        range("2026-10-03 15:30", "2026-10-03 16:00"));
}

TEST_CASE("windows meet without gap or overlap in awkward zones") {
  for (const std::string_view zone :
       {"America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Casablanca",
        "America/Santiago", "Asia/Beirut", "Africa/Cairo", "Pacific/Apia", "America/St_Johns",
        "America/Havana", "Europe/Dublin", "Asia/Tehran"})
    for (const CalendarUnit unit :
         {CalendarUnit::hour, CalendarUnit::day, CalendarUnit::week, CalendarUnit::month}) {
      INFO("zone " << zone << ", unit " << static_cast<int>(unit));
      WallTime at = utc("2010-01-01");
      for (int count = 0; count < 800; ++count) {
        const Window one = window_at(unit, zone, at).value();
        REQUIRE(one.start <= at);
        REQUIRE(one.end > at);
        REQUIRE(window_at(unit, zone, *one.end - 1s).value() == one);
        REQUIRE(window_at(unit, zone, one.start).value() == one);
        REQUIRE(window_at(unit, zone, *one.end).value().start == *one.end);
        at = *one.end;
      }
    }
}

TEST_CASE("windows outside the range of time are refused") {
  CHECK_FALSE(window_at(CalendarUnit::day, "UTC", WallTime::max()).has_value());
  CHECK_FALSE(window_at(CalendarUnit::month, "UTC", WallTime::min()).has_value());
  CHECK_FALSE(window_at(CalendarUnit::day, "Mars/Olympus", utc("2026-05-01")).has_value());
}

TEST_CASE("offsets are stable, bounded and spread") {
  CHECK(cron::stable_offset("pool-1", 600s) == cron::stable_offset("pool-1", 600s));
  CHECK(cron::stable_offset("pool-1", 0s) == 0ns);
  CHECK(cron::stable_offset("pool-1", -5s) == 0ns);
  CHECK(cron::stable_offset("x", 1ns) <= 1ns);
  CHECK(cron::stable_offset("x", std::chrono::nanoseconds::max()) >= 0ns);
  std::set<std::int64_t> minutes;
  std::chrono::nanoseconds sum{0};
  for (int index = 0; index < 500; ++index) {
    const auto offset = cron::stable_offset("pool-" + std::to_string(index), 600s);
    REQUIRE(offset >= 0s);
    REQUIRE(offset <= 600s);
    minutes.insert(offset / 1min);
    sum += offset;
  }
  CHECK(minutes.size() >= 10);
  CHECK(sum / 500 > 270s);
  CHECK(sum / 500 < 330s);
}

}  // namespace
}  // namespace keyherd::test
