#include "model/notify.hpp"

namespace keyherd::model {

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::critical:
      return "critical";
  }
  return {};
}

std::optional<Severity> severity_from_string(std::string_view name) {
  for (const Severity severity : {Severity::info, Severity::warning, Severity::critical})
    if (to_string(severity) == name)
      return severity;
  return std::nullopt;
}

std::string_view to_string(NotifyTarget::Kind kind) {
  return kind == NotifyTarget::Kind::alertmanager ? "alertmanager" : "alert_webhook";
}

}  // namespace keyherd::model
