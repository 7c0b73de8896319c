#include "model/pool.hpp"

#include <algorithm>

#include "model/enum_names.hpp"

namespace keyherd::model {

namespace {
constexpr std::array<std::string_view, 6> kStrategies{
    "round_robin", "priority", "quota_aware", "least_used", "lowest_latency", "cheapest"};
constexpr std::array<std::string_view, 2> kCatchUps{"once", "skip"};
constexpr std::array<std::string_view, 6> kModes{"switch",     "provision", "slot",
                                                 "deactivate", "command",   "guided"};
constexpr std::array<std::string_view, 3> kTemplates{"json", "env", "raw"};
constexpr std::array<std::string_view, 6> kEvents{"dead",     "exhausted", "throttled",
                                                  "degraded", "dear",      "incident"};
constexpr std::array<std::string_view, kRotationTriggerCount> kTriggers{
    "schedule", "invalid_key", "rate_limited", "quota",   "balance", "endpoint",
    "recovery", "manual",      "drill",        "initial", "tariff"};
constexpr std::array<std::string_view, kRotationFailureCount> kFailureNames{
    "no_candidate", "preflight", "publish", "adoption", "hook"};
constexpr std::array<std::string_view, 11> kStates{
    "planned",  "minted",  "staged",      "published",   "verified", "committed",
    "retiring", "retired", "rolled_back", "needs_human", "refused"};

// Scheme and host: the path of a webhook is often its secret.
std::string origin_of(const std::string& url) {
  const auto scheme = url.find("://");
  if (scheme == std::string::npos)
    return "(not a URL)";
  return url.substr(0, url.find('/', scheme + 3));
}
}  // namespace

std::string_view to_string(Strategy strategy) {
  return name_of(kStrategies, strategy);
}
std::optional<Strategy> strategy_from_string(std::string_view name) {
  return value_of<Strategy>(kStrategies, name);
}

std::string_view to_string(RotationMode mode) {
  return name_of(kModes, mode);
}
bool makes_secrets(RotationMode mode) {
  switch (mode) {
    case RotationMode::provision:
    case RotationMode::slot:
    case RotationMode::command:
      return true;
    case RotationMode::switch_:
    case RotationMode::deactivate:
    case RotationMode::guided:
      return false;
  }
  return false;
}

std::optional<RotationMode> rotation_mode_from_string(std::string_view name) {
  return value_of<RotationMode>(kModes, name);
}

std::string_view to_string(CatchUp policy) {
  return name_of(kCatchUps, policy);
}
std::optional<CatchUp> catch_up_from_string(std::string_view name) {
  return value_of<CatchUp>(kCatchUps, name);
}

std::string_view to_string(FileTemplate shape) {
  return name_of(kTemplates, shape);
}
std::optional<FileTemplate> file_template_from_string(std::string_view name) {
  return value_of<FileTemplate>(kTemplates, name);
}

std::string_view to_string(RotateOn event) {
  return name_of(kEvents, event);
}
std::optional<RotateOn> rotate_on_from_string(std::string_view name) {
  return value_of<RotateOn>(kEvents, name);
}

bool rotates_on(const Pool& pool, RotateOn event) {
  return std::find(pool.rotate_on.begin(), pool.rotate_on.end(), event) != pool.rotate_on.end();
}

std::string_view to_string(RotationTrigger trigger) {
  return name_of(kTriggers, trigger);
}
std::optional<RotationTrigger> rotation_trigger_from_string(std::string_view name) {
  return value_of<RotationTrigger>(kTriggers, name);
}

std::string_view to_string(RotationFailure failure) {
  return name_of(kFailureNames, failure);
}

std::string_view to_string(RotationState state) {
  return name_of(kStates, state);
}
std::optional<RotationState> rotation_state_from_string(std::string_view name) {
  return value_of<RotationState>(kStates, name);
}

bool is_final(RotationState state) {
  switch (state) {
    case RotationState::committed:
    case RotationState::retired:
    case RotationState::rolled_back:
    case RotationState::needs_human:
    case RotationState::refused:
      return true;
    case RotationState::planned:
    case RotationState::minted:
    case RotationState::staged:
    case RotationState::published:
    case RotationState::verified:
    case RotationState::retiring:
      return false;
  }
  return false;
}

std::string describe(const PublishTarget& target) {
  struct Describe {
    std::string operator()(const PublishFile& file) const { return "file:" + file.path; }
    std::string operator()(const PublishExec& exec) const { return "exec:" + exec.argv.front(); }
    std::string operator()(const PublishWebhook& hook) const {
      return "webhook:" + origin_of(hook.url);
    }
  };
  return std::visit(Describe{}, target);
}

}  // namespace keyherd::model
