#include "notify/messages.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/time_text.hpp"

namespace keyherd::notify {

namespace {

using nlohmann::json;

json annotations_of(const Alert& alert) {
  return {{"summary", alert.rule->summary},
          {"description", alert.description},
          {"runbook_url", std::string(kRunbooks) + std::string(alert.rule->name) + ".md"}};
}

json common_labels(const std::vector<Alert>& alerts) {
  Labels common = alerts.empty() ? Labels{} : alerts.front().labels;
  for (const Alert& alert : alerts)
    std::erase_if(common, [&](const auto& label) {
      const auto found = alert.labels.find(label.first);
      return found == alert.labels.end() || found->second != label.second;
    });
  return common;
}

}  // namespace

std::string alertmanager_body(const std::vector<Alert>& alerts, WallTime expires) {
  json list = json::array();
  for (const Alert& alert : alerts)
    list.push_back({{"labels", alert.labels},
                    {"annotations", annotations_of(alert)},
                    {"startsAt", format_rfc3339(alert.starts_at)},
                    {"endsAt", format_rfc3339(alert.ends_at.value_or(expires))}});
  return dump_json(list);
}

std::string webhook_body(const std::vector<Alert>& alerts, std::string_view name) {
  json list = json::array();
  for (const Alert& alert : alerts)
    list.push_back(
        {{"status", alert.fires() ? "firing" : "resolved"},
         {"labels", alert.labels},
         {"annotations", annotations_of(alert)},
         {"startsAt", format_rfc3339(alert.starts_at)},
         {"endsAt", alert.ends_at ? format_rfc3339(*alert.ends_at) : "0001-01-01T00:00:00Z"},
         {"generatorURL", ""},
         {"fingerprint", ""}});
  const bool fires =
      std::any_of(alerts.begin(), alerts.end(), [](const Alert& alert) { return alert.fires(); });
  const std::string alertname(name);
  return dump_json({{"version", "4"},
                    {"groupKey", "{}:{alertname=\"" + alertname + "\"}"},
                    {"truncatedAlerts", 0},
                    {"status", fires ? "firing" : "resolved"},
                    {"receiver", "keyherd"},
                    {"groupLabels", {{"alertname", alertname}}},
                    {"commonLabels", common_labels(alerts)},
                    {"commonAnnotations", json::object()},
                    {"externalURL", ""},
                    {"alerts", std::move(list)}});
}

}  // namespace keyherd::notify
