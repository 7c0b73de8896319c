#pragma once

// Instants for the cron tests, written as people write them.

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/time_text.hpp"
#include "cron/schedule.hpp"

namespace keyherd::test {

// "2026-03-08", "2026-03-08 07:00" or "2026-03-08 07:00:01", in UTC.
inline WallTime utc(std::string_view text) {
  constexpr std::string_view kMidnight = " 00:00:00";
  std::string full(text);
  if (full.size() < 19)
    full += kMidnight.substr(full.size() - 10);
  return parse_rfc3339(full + "Z").value();
}

inline std::vector<std::string> texts(const std::vector<WallTime>& times) {
  std::vector<std::string> all;
  for (const WallTime time : times)
    all.push_back(format_rfc3339(time));
  return all;
}

inline cron::Schedule schedule(std::string_view expression, std::string_view timezone = "UTC") {
  return cron::Schedule::parse(expression, timezone).value();
}

}  // namespace keyherd::test
