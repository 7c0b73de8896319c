#pragma once

// Inside cron only: what the fields of an expression select, and the search for local times
// that they select. Knows calendars, no time zones. Values, safe from any thread.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cron/zone.hpp"

namespace keyherd::cron {

struct Fields {
  std::uint64_t seconds = 1;    // bits 0-59; without a field for seconds the first of the minute
  std::uint64_t minutes = 0;    // bits 0-59
  std::uint32_t hours = 0;      // bits 0-23
  std::uint32_t days = 0;       // bits 1-31
  std::uint32_t near_days = 0;  // nW: bits 1-31
  bool last_day = false;        // L
  bool last_workday = false;    // LW
  std::uint32_t months = 0;     // bits 1-12
  std::uint32_t weekdays = 0;   // bits 0-6 from Sunday
  // By weekday: bit k-1 for its k-th in the month (n#k), bit kLastBit for its last (nL).
  std::array<std::uint8_t, 7> nth{};
  static constexpr unsigned kLastBit = 7;

  bool any_day = false;      // the day of month is unrestricted: *, ?, */1
  bool any_weekday = false;  // the day of week is unrestricted
  bool both_days = false;    // + : day of month AND day of week
  bool fixed_time = false;   // second, minute and hour without * and /

  // The texts of the fields, for descriptions and notes.
  std::array<std::string, 5> text;
  std::string second_text;  // empty: five fields
};

// Five fields separated by blanks, or six, the first of which is seconds. Errors: see
// Schedule::parse.
Result<Fields> parse_fields(std::string_view expression);

// Days of a month of this length whose first day is this weekday: bits 1-31.
std::uint32_t days_selected(const Fields& fields, unsigned length, std::chrono::weekday first);

// Whether any day of any year is selected.
bool is_possible(const Fields& fields);

// The first selected second in [from, until).
std::optional<LocalSeconds> first_selected(const Fields& fields, LocalSeconds from,
                                           LocalSeconds until);

}  // namespace keyherd::cron
