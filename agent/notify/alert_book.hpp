#pragma once

// What has been found becomes alerts: each waits until it has held long enough, fires, and is over
// when it is no longer found. Pure; one thread.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "notify/alerts.hpp"

namespace keyherd::notify {

struct Alert {
  const AlertRule* rule = nullptr;
  Labels labels;  // alertname, severity, job, instance, and what it is about
  std::string description;
  WallTime starts_at;
  std::optional<WallTime> ends_at;  // set when it is over

  [[nodiscard]] bool fires() const { return !ends_at.has_value(); }
};

class AlertBook {
 public:
  // job and instance: labels that every alert carries, as Prometheus' scrape would give it. With
  // those of a Prometheus that watches too, an Alertmanager takes both for one.
  AlertBook(std::string job, std::string instance);

  // Brings the book up to date.
  void update(const std::vector<Finding>& findings, WallTime now);

  // The alerts that fire, and those that were over less than 15 minutes ago, in the order of their
  // labels.
  [[nodiscard]] std::vector<Alert> alerts() const;

 private:
  struct Entry {
    Alert alert;
    WallTime found_since;
    bool fired = false;
  };
  const std::string job_;
  const std::string instance_;
  std::map<Labels, Entry> entries_;
};

}  // namespace keyherd::notify
