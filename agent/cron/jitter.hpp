#pragma once

// Spreads what would happen at one moment over a stretch of time, always in the same way.

#include <chrono>
#include <string_view>

namespace keyherd::cron {

// A delay in [0, width), in whole seconds, that depends on the name alone: the same after every
// restart and on every machine.
std::chrono::seconds stable_delay(std::string_view name, std::chrono::nanoseconds width);

}  // namespace keyherd::cron
