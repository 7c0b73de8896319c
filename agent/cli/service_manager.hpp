#pragma once

// What the agent tells the service manager that started it (systemd, Type=notify): ready, stopping,
// and that it is alive. Without one ($NOTIFY_SOCKET is not set) nothing happens. One thread.

#include <chrono>
#include <optional>

namespace keyherd::cli {

class ServiceManager {
 public:
  // Reads the environment that sd_notify(3) and sd_watchdog_enabled(3) describe.
  ServiceManager();

  // The manager kills a service that was not heard of for this long (WatchdogSec=); nothing: it
  // does not watch.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

  static void ready();
  static void stopping();
  static void alive();

 private:
  std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace keyherd::cli
