#pragma once

// Alerts as others want to read them. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "notify/alert_book.hpp"

namespace keyherd::notify {

inline constexpr std::string_view kRunbooks =
    "https://github.com/keyherd/keyherd/blob/main/docs/runbooks/";

// The body of POST /api/v2/alerts. An alert that fires ends by itself at `expires`, unless it is
// sent again: so nothing fires for ever when the agent is gone.
std::string alertmanager_body(const std::vector<Alert>& alerts, WallTime expires);

// One message of Alertmanager's webhooks, version 4, about alerts of one name. `status` is firing
// if one of them does.
std::string webhook_body(const std::vector<Alert>& alerts, std::string_view name);

}  // namespace keyherd::notify
