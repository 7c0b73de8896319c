#pragma once

// Bounds that rows of the schema share. For schema.cpp alone.

#include <limits>

#include "config/schema.hpp"

namespace keyherd::config {

inline constexpr double kMinute = 60;
inline constexpr double kHour = 3600;
inline constexpr double kDay = 86400;
inline constexpr double kYear = 366 * kDay;
inline constexpr Range kNotNegative{0, std::numeric_limits<double>::infinity()};

}  // namespace keyherd::config
