#pragma once

// Whom the agent tells of its own alerts, for herds without a Prometheus.

#include <optional>
#include <string>
#include <string_view>

#include "model/secret_ref.hpp"

namespace keyherd::model {

enum class Severity { info, warning, critical };
std::string_view to_string(Severity severity);
std::optional<Severity> severity_from_string(std::string_view name);

struct NotifyTarget {
  // alertmanager: its API v2. webhook: messages in the shape of Alertmanager's own webhooks.
  enum class Kind { alertmanager, webhook };
  Kind kind = Kind::alertmanager;
  std::string url;
  std::optional<SecretRef> token;      // sent as `Authorization: Bearer …`
  Severity least = Severity::warning;  // what is less grave is not sent
  friend bool operator==(const NotifyTarget&, const NotifyTarget&) = default;
};
// Label `target` of keyherd_notifications_total.
std::string_view to_string(NotifyTarget::Kind kind);

}  // namespace keyherd::model
