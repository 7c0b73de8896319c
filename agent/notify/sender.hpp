#pragma once

// Tells one target of the alerts: an Alertmanager again and again, as Prometheus does, because it
// forgets what is not repeated; a webhook once for each change, and every four hours while
// something fires. What could not be delivered is tried again at the next call. One thread.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "net/transport.hpp"
#include "notify/alert_book.hpp"

namespace keyherd::notify {

// Sent messages of one call.
struct Sent {
  int good = 0;
  int failed = 0;
  std::string problem;  // of the last that failed: never holds a secret
};

class Sender {
 public:
  // `token` may be null. The transport outlives the sender.
  Sender(model::NotifyTarget target, std::shared_ptr<const Secret> token,
         net::Transport& transport);

  Sent send(const std::vector<Alert>& alerts, Instant now, std::stop_token stop);

  [[nodiscard]] const model::NotifyTarget& target() const { return target_; }
  [[nodiscard]] const std::shared_ptr<const Secret>& token() const { return token_; }

 private:
  void send_to_alertmanager(const std::vector<Alert>& alerts, Instant now, Sent& sent,
                            std::stop_token stop);
  void send_to_webhook(const std::vector<Alert>& alerts, Instant now, Sent& sent,
                       std::stop_token stop);
  void forget_old(const std::vector<Alert>& alerts);
  bool post(const std::string& url, std::string body, Sent& sent, std::stop_token stop);

  const model::NotifyTarget target_;
  const std::shared_ptr<const Secret> token_;
  net::Transport& transport_;
  // The alerts that the target knows to fire, and since when it was last told.
  std::set<Labels> told_;
  std::optional<SteadyTime> told_at_;               // Alertmanager
  std::map<std::string, SteadyTime> told_name_at_;  // webhook, by the alert's name
};

}  // namespace keyherd::notify
