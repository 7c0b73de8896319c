// The search against a walk over every minute, or second: random expressions whose meaning the
// generator knows, in zones that have done strange things.

#include <date/tz.h>

#include <bitset>
#include <catch2/catch.hpp>
#include <random>

#include "cron/schedule.hpp"
#include "times.hpp"

namespace keyherd::test {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

struct RandomField {
  std::string text;
  std::bitset<64> values;
  bool open = false;   // unrestricted
  bool steps = false;  // has * or /
};

struct RandomExpression {
  RandomField minute, hour, day, month, weekday;
  RandomField second;  // without text: five fields
  [[nodiscard]] std::string text() const {
    return (second.text.empty() ? "" : second.text + " ") + minute.text + " " + hour.text + " " +
           day.text + " " + month.text + " " + weekday.text;
  }
  [[nodiscard]] bool fixed() const { return !second.steps && !minute.steps && !hour.steps; }
  [[nodiscard]] seconds resolution() const { return second.text.empty() ? minutes{1} : seconds{1}; }
};

class Generator {
 public:
  RandomExpression next() {
    return {field(0, 59), field(0, 23), field(1, 31), pick(4) != 0 ? star(1, 12) : field(1, 12),
            field(0, 6),  RandomField{}};
  }
  RandomExpression next_with_seconds() {
    RandomExpression expression = next();
    expression.second = field(0, 59);
    return expression;
  }

 private:
  unsigned pick(unsigned below) { return static_cast<unsigned>(engine_() % below); }

  static RandomField star(unsigned low, unsigned high, unsigned step = 1) {
    RandomField field{step == 1 ? "*" : "*/" + std::to_string(step), {}, step == 1, true};
    for (unsigned value = low; value <= high; value += step)
      field.values.set(value);
    return field;
  }

  RandomField field(unsigned low, unsigned high) {
    switch (pick(5)) {
      case 0:
        return star(low, high);
      case 1:
        return star(low, high, 1 + pick(high - low));
      case 2:
        return range(low, high);
      default:
        return list(low, high);
    }
  }

  RandomField range(unsigned low, unsigned high) {
    const unsigned from = low + pick(high - low + 1);
    const unsigned to = from + pick(high - from + 1);
    const unsigned step = pick(2) == 0 ? 1 : 1 + pick(to - from + 1);
    RandomField field{std::to_string(from) + "-" + std::to_string(to), {}, false, step != 1};
    if (step != 1)
      field.text += "/" + std::to_string(step);
    for (unsigned value = from; value <= to; value += step)
      field.values.set(value);
    return field;
  }

  RandomField list(unsigned low, unsigned high) {
    RandomField field;
    const unsigned count = 1 + pick(3);
    for (unsigned index = 0; index < count; ++index) {
      // Small hours are where clocks change.
      const unsigned span = high == 23 && pick(2) == 0 ? 4 : high - low + 1;
      const unsigned value = low + pick(span);
      field.text += (index == 0 ? "" : ",") + std::to_string(value);
      field.values.set(value);
    }
    return field;
  }

  std::mt19937_64 engine_{20261123};
};

// Answers by looking at every minute, or second.
class BruteForceWalk {
 public:
  BruteForceWalk(const RandomExpression& expression, const date::time_zone& zone)
      : expression_(expression), zone_(zone) {}

  std::vector<WallTime> firings(WallTime from, WallTime until) {
    std::vector<WallTime> found;
    auto at = std::chrono::ceil<seconds>(from);
    for (date::sys_info info{}; at < until; at += expression_.resolution()) {
      if (at >= info.end || at < info.begin)
        info = zone_.get_info(at);
      const auto local =
          date::local_time<std::chrono::seconds>{(at + info.offset).time_since_epoch()};
      const bool begins = at == info.begin;
      if ((selected(local) && !(expression_.fixed() && seen_before(local, at))) ||
          (begins && fills_gap(info)))
        found.emplace_back(at);
    }
    return found;
  }

 private:
  [[nodiscard]] bool selected(date::local_time<std::chrono::seconds> local) const {
    const auto day = date::floor<date::days>(local);
    const date::year_month_day date{day};
    const auto minute = (local - day) / minutes{1};
    const auto second = (local - day) / seconds{1} % 60;
    const auto has = [](const RandomField& field, auto value) {
      return field.values.test(static_cast<std::size_t>(value));
    };
    if (expression_.second.text.empty() ? second != 0 : !has(expression_.second, second))
      return false;
    if (!has(expression_.minute, minute % 60) || !has(expression_.hour, minute / 60) ||
        !has(expression_.month, unsigned{date.month()}))
      return false;
    const bool by_date = has(expression_.day, unsigned{date.day()});
    const bool by_name = has(expression_.weekday, date::weekday{day}.c_encoding());
    const bool either = !expression_.day.open && !expression_.weekday.open;
    return either ? by_date || by_name : by_date && by_name;
  }

  [[nodiscard]] bool seen_before(date::local_time<std::chrono::seconds> local,
                                 std::chrono::sys_time<seconds> at) const {
    const date::local_info info = zone_.get_info(local);
    return info.result == date::local_info::ambiguous && at >= info.second.begin;
  }

  [[nodiscard]] bool fills_gap(const date::sys_info& info) const {
    const auto before = zone_.get_info(info.begin - std::chrono::seconds{1}).offset;
    if (!expression_.fixed() || info.offset - before >= std::chrono::hours{3})
      return false;
    for (auto offset = before; offset < info.offset; offset += expression_.resolution())
      if (selected(
              date::local_time<std::chrono::seconds>{(info.begin + offset).time_since_epoch()}))
        return true;
    return false;
  }

  const RandomExpression& expression_;
  const date::time_zone& zone_;
};

struct Stretch {
  std::string_view zone;
  std::string_view from;
  int days;
};

void compare(const Stretch& stretch, const RandomExpression& expression) {
  const auto parsed = cron::Schedule::parse(expression.text(), stretch.zone);
  if (!parsed) {  // only for the dates that never come
    REQUIRE(parsed.error().message.find("never comes") != std::string::npos);
    return;
  }
  INFO("\"" << expression.text() << "\" in " << stretch.zone << " from " << stretch.from);
  const WallTime from = utc(stretch.from);
  const WallTime until = from + std::chrono::hours{24 * stretch.days};
  const auto expected =
      BruteForceWalk(expression, *date::locate_zone(stretch.zone)).firings(from, until);
  auto found = parsed->next_n(from - std::chrono::nanoseconds{1}, expected.size() + 1);
  if (!found.empty() && found.back() >= until)
    found.pop_back();
  REQUIRE(texts(found) == texts(expected));
}

const std::vector<Stretch>& awkward_stretches() {
  static const std::vector<Stretch> stretches{
      {"America/New_York", "2026-03-05", 6},    {"America/New_York", "2026-10-29", 6},
      {"Australia/Lord_Howe", "2026-10-01", 6}, {"Australia/Lord_Howe", "2027-04-01", 6},
      {"Antarctica/Troll", "2027-03-26", 6},    {"Antarctica/Troll", "2027-10-29", 6},
      {"Africa/Casablanca", "2027-02-04", 6},   {"Africa/Casablanca", "2027-03-12", 6},
      {"America/Santiago", "2026-09-03", 6},    {"America/Santiago", "2027-04-01", 6},
      {"Asia/Beirut", "2026-03-26", 6},         {"Africa/Cairo", "2026-10-27", 6},
      {"Pacific/Apia", "2011-12-27", 6},        {"Pacific/Kiritimati", "1994-12-29", 6},
      {"America/St_Johns", "2006-04-01", 6},    {"America/St_Johns", "2006-10-27", 6},
      {"Asia/Pyongyang", "2018-05-03", 4},      {"America/Caracas", "2016-04-29", 4},
  };
  return stretches;
}

TEST_CASE(
    "ten thousand schedules agree with a walk over every minute around changes of the clock") {
  Generator generator;
  for (int round = 0; round < 556; ++round)
    for (const Stretch& stretch : awkward_stretches())
      compare(stretch, generator.next());
}

TEST_CASE("the search agrees with a walk over every second around changes of the clock") {
  Generator generator;
  for (int round = 0; round < 8; ++round)
    for (const Stretch& stretch : awkward_stretches())
      compare({stretch.zone, stretch.from, 4}, generator.next_with_seconds());
}

TEST_CASE("the search agrees with a walk over every minute of 400 days") {
  Generator generator;
  for (const std::string_view zone : {"America/New_York", "Asia/Kathmandu", "Africa/Casablanca"})
    for (int round = 0; round < 4; ++round)
      compare({zone, "2026-06-15", 400}, generator.next());
}

}  // namespace
}  // namespace keyherd::test
