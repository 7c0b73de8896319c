#include "cli/service_manager.hpp"

#include <systemd/sd-daemon.h>

#include <cstdint>

namespace keyherd::cli {

namespace {

// That a message could not be sent is the manager's trouble: it will miss it.
void tell(const char* state) {
  static_cast<void>(::sd_notify(0, state));
}

}  // namespace

ServiceManager::ServiceManager() {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) > 0)
    watchdog_ = std::chrono::microseconds(microseconds);
}

void ServiceManager::ready() {
  tell("READY=1");
}

void ServiceManager::stopping() {
  tell("STOPPING=1");
}

void ServiceManager::alive() {
  tell("WATCHDOG=1");
}

}  // namespace keyherd::cli
