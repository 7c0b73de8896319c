#pragma once

// Inside cron only: what the fields mean, in words, and what their writer may not have meant.

#include <string>
#include <vector>

#include "cron/fields.hpp"

namespace keyherd::cron {

// Without the time zone: "at 03:00 every day".
std::string describe(const Fields& fields);

// Notes that need no instant, a sentence each.
std::vector<std::string> lint(const Fields& fields);

// Whether Vixie cron would read day of month and day of week with AND where we read OR: both are
// restricted, and one of them begins with `*`.
bool reads_differently(const Fields& fields);

}  // namespace keyherd::cron
