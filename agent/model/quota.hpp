#pragma once

// A limit over a window of time, on a key or on a limit group.

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace keyherd::model {

enum class QuotaUnit { tokens, input_tokens, output_tokens, requests, usd };
std::string_view to_string(QuotaUnit unit);
std::optional<QuotaUnit> quota_unit_from_string(std::string_view name);

enum class WindowKind { minute, hour, day, week, month, total, rolling };
std::string_view to_string(WindowKind kind);

struct Quota {
  std::string id;
  std::int64_t limit = 0;  // tokens or requests; nano-USD for usd. > 0
  QuotaUnit unit = QuotaUnit::tokens;
  WindowKind window = WindowKind::day;
  std::chrono::nanoseconds rolling{0};  // length of a rolling window, whole minutes
  std::string timezone = "UTC";         // IANA name
  // Where calendar windows begin: of a month on this day (its last, where the month is shorter), of
  // a week on this weekday (1 Monday … 7 Sunday); of these and of a day at this local time, a whole
  // quarter of an hour.
  int anchor_day = 1;
  std::chrono::minutes anchor_time{0};
  // 0..1 ascending, at most three: the levels info, warning, critical. Fewer: the highest levels.
  std::vector<double> thresholds{0.70, 0.85, 0.95};
};

inline constexpr std::array<std::string_view, 3> kQuotaLevels{"info", "warning", "critical"};
// The level names of a quota's thresholds, in order.
std::vector<std::string_view> levels_of(const Quota& quota);

// Who a window belongs to: a key's id, or "group:" and a limit group's name.
struct QuotaWindow {
  std::string quota;
  std::string owner;
  WallTime start;
  std::optional<WallTime> end;  // none for `total`
  std::int64_t used = 0;
  int level_fired = 0;  // how many thresholds have been crossed and announced in this window
};

}  // namespace keyherd::model
