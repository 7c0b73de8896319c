#include "model/audit.hpp"

#include "model/enum_names.hpp"

namespace keyherd::model {

namespace {
constexpr std::array<std::string_view, kAuditActCount> kActs{
    "started", "stopped",    "reloaded", "not_reloaded",  "decided", "refused", "step",
    "failed",  "credential", "missed",   "paused",        "resumed", "frozen",  "unfrozen",
    "probed",  "keyring",    "incident", "incident_over", "mended"};
}  // namespace

std::string_view to_string(AuditAct act) {
  return name_of(kActs, act);
}
std::optional<AuditAct> audit_act_from_string(std::string_view name) {
  return value_of<AuditAct>(kActs, name);
}

}  // namespace keyherd::model
