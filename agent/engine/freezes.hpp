#pragma once

// Which freeze is in force: by hand, or an open window of the configuration. Pure.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "cron/schedule.hpp"
#include "model/pool.hpp"

namespace keyherd::engine {

struct FreezeSchedule {
  cron::Schedule start;
  std::chrono::nanoseconds lasts{0};
};

// The open window that ends last.
std::optional<model::Freeze> open_window(const std::vector<FreezeSchedule>& windows, WallTime now);

// The name under which the store keeps a pool's freeze by hand.
std::string freeze_setting(const std::string& pool);
// A freeze by hand as the text that the store keeps, and back; nothing for other text.
std::string freeze_to_text(const model::Freeze& freeze);
std::optional<model::Freeze> freeze_from_text(const std::string& text);

}  // namespace keyherd::engine
