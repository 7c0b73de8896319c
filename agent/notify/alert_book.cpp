#include "notify/alert_book.hpp"

#include <set>

namespace keyherd::notify {

namespace {

// As long as Prometheus goes on saying that an alert is over.
constexpr std::chrono::minutes kKeepResolved{15};

}  // namespace

AlertBook::AlertBook(std::string job, std::string instance)
    : job_(std::move(job)), instance_(std::move(instance)) {}

void AlertBook::update(const std::vector<Finding>& findings, WallTime now) {
  std::set<Labels> present;
  for (const Finding& finding : findings) {
    Labels labels = finding.labels;
    labels["alertname"] = finding.rule->name;
    labels["severity"] = model::to_string(finding.rule->severity);
    labels["job"] = job_;
    labels["instance"] = instance_;
    Entry& entry = entries_[labels];
    if (entry.alert.rule == nullptr || entry.alert.ends_at)
      entry = {{finding.rule, labels, {}, now, {}}, now, false};
    entry.alert.description = finding.description;
    if (!entry.fired && now - entry.found_since >= finding.rule->hold) {
      entry.fired = true;
      entry.alert.starts_at = now;
    }
    present.insert(std::move(labels));
  }
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    if (!present.contains(at->first) && !entry.alert.ends_at)
      entry.alert.ends_at = now;
    const bool over =
        entry.alert.ends_at && (!entry.fired || now - *entry.alert.ends_at >= kKeepResolved);
    at = over ? entries_.erase(at) : std::next(at);
  }
}

std::vector<Alert> AlertBook::alerts() const {
  std::vector<Alert> all;
  for (const auto& [labels, entry] : entries_)
    if (entry.fired)
      all.push_back(entry.alert);
  return all;
}

}  // namespace keyherd::notify
