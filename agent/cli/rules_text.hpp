#pragma once

// The shipped Prometheus rules, as they stand in rules/, inside the program.

#include <string_view>

namespace keyherd::cli {

extern const char kAlertRulesBytes[];
extern const unsigned long kAlertRulesSize;
extern const char kRecordingRulesBytes[];
extern const unsigned long kRecordingRulesSize;

inline std::string_view alert_rules() {
  return {kAlertRulesBytes, kAlertRulesSize};
}
inline std::string_view recording_rules() {
  return {kRecordingRulesBytes, kRecordingRulesSize};
}

}  // namespace keyherd::cli
