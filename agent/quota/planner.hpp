#pragma once

// Inside quota only: works out one Change over the slots of a ledger, without touching them.

#include <cstdint>
#include <optional>
#include <vector>

#include "quota/ledger.hpp"
#include "quota/slot.hpp"

namespace keyherd::quota {

// What becomes of one slot.
struct CalendarUpdate {
  std::uint32_t slot = 0;
  CalendarTally tally;
};
struct RollingUpdate {
  std::uint32_t slot = 0;
  std::vector<RollingTally::Addition> additions;
  int level = 0;
  bool known = false;
  bool anew = false;  // the additions replace what is there
};

struct Change::Updates {
  std::uint64_t version = 0;  // of the ledger that planned it
  std::vector<CalendarUpdate> calendar;
  std::vector<RollingUpdate> rolling;
  bool windows_began = false;
};

class Planner {
 public:
  Planner(const std::vector<Slot>& slots, WallTime now)
      : slots_(slots), now_(now), place_(slots.size(), 0) {}

  // Enters the current window; what it holds is kept.
  void touch(std::uint32_t slot);
  // Enters the current window and starts it from zero, if its past is not known. Whether it did.
  bool recount(std::uint32_t slot);
  // Counts what began at `at`.
  void add(std::uint32_t slot, WallTime at, const model::UsageCounts& counts);
  // Changed windows and crossings; the updates are left in `updates`.
  void finish(Change& change, Change::Updates& updates);

 private:
  CalendarUpdate& calendar(std::uint32_t slot);
  RollingUpdate& rolling(std::uint32_t slot);
  void finish(const CalendarUpdate& update, Change& change, bool& windows_began) const;

  const std::vector<Slot>& slots_;
  WallTime now_;
  // By slot: 1 + its place among the updates of its sort; 0 while untouched.
  std::vector<std::uint32_t> place_;
  std::vector<CalendarUpdate> calendar_;
  std::vector<RollingUpdate> rolling_;
};

}  // namespace keyherd::quota
