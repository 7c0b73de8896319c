#pragma once

// The alerts that the agent can tell from one Snapshot, under the names, severities, waiting times
// and texts of rules/keyherd-alerts.yml (a test holds them equal). Prometheus sees more: what needs
// history, such as rates and error budgets, is only there. Pure.

#include <chrono>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/notify.hpp"
#include "model/snapshot.hpp"

namespace keyherd::notify {

struct AlertRule {
  std::string_view name;
  model::Severity severity;
  std::chrono::seconds hold;  // how long the condition must hold before anybody is told
  std::string_view summary;
};
std::span<const AlertRule> alert_rules();

using Labels = std::map<std::string, std::string>;

// A condition that holds now.
struct Finding {
  const AlertRule* rule = nullptr;
  Labels labels;  // what it is about: pool, key, provider, …
  std::string description;
};

// What the shipped Alertmanager configuration would inhibit is left out: of the levels of one alert
// all but the gravest, the keys of a provider that is down, the smaller troubles of an empty pool.
std::vector<Finding> find_alerts(const model::Snapshot& snapshot, WallTime now);

}  // namespace keyherd::notify
