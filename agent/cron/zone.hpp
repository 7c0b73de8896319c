#pragma once

// Inside cron only: one time zone as stretches of constant offset, so that Howard Hinnant's date
// stays in zone.cpp. Immutable, safe from any thread.

#include <chrono>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace date {
class time_zone;
}

namespace keyherd::cron {

using SysSeconds = std::chrono::sys_seconds;
using LocalSeconds = std::chrono::local_seconds;
using std::chrono::seconds;

// Instants that a WallTime can hold, with room for a zone's offset and a month.
inline constexpr SysSeconds kFirstInstant{
    std::chrono::sys_days{std::chrono::year{1678} / std::chrono::January / 1}};
inline constexpr SysSeconds kLastInstant{
    std::chrono::sys_days{std::chrono::year{2262} / std::chrono::January / 1}};

// A stretch of time with one offset from UTC.
struct Span {
  SysSeconds begin;
  SysSeconds end;  // exclusive
  seconds offset{0};

  [[nodiscard]] LocalSeconds local(SysSeconds at) const {
    return LocalSeconds{(at + offset).time_since_epoch()};
  }
  [[nodiscard]] SysSeconds instant(LocalSeconds at) const {
    return SysSeconds{at.time_since_epoch() - offset};
  }
};

class Zone {
 public:
  // Error: invalid, with the name and what to write instead.
  static Result<Zone> find(std::string_view name);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Span span_at(SysSeconds at) const;
  [[nodiscard]] std::string abbreviation(SysSeconds at) const;
  // The first instant at which the clock on the wall shows this local time or a later one, looking
  // from the day before.
  [[nodiscard]] SysSeconds first_reaching(LocalSeconds local) const;

 private:
  Zone(std::string name, const date::time_zone& zone) : name_(std::move(name)), zone_(&zone) {}
  std::string name_;
  const date::time_zone* zone_;  // lives as long as the process
};

// "2026-03-08T03:00:00-04:00".
std::string format_local(const Zone& zone, SysSeconds at);

}  // namespace keyherd::cron
