#pragma once

// A line of a provider's error table: what an answer looks like, and what it then says. Every
// provider type brings its own lines; a configuration may put others before them, so that a
// provider's change needs no new release.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/verdict.hpp"

namespace keyherd::model {

struct StatusRange {  // both ends included
  int from = 0;
  int to = 0;
  friend bool operator==(const StatusRange&, const StatusRange&) = default;
};

// How to know the end of a condition when the answer names none in a header or a field.
enum class RuleReset { none, next_month_utc, midnight_pacific, in_message, in_message_beijing };
std::string_view to_string(RuleReset reset);
std::optional<RuleReset> rule_reset_from_string(std::string_view name);

// It matches when each list that is not empty has a match.
struct ErrorRule {
  Verdict verdict = Verdict::server_error;
  std::optional<VerdictScope> scope;  // where it is not the verdict's own
  std::vector<StatusRange> statuses;
  std::vector<std::string> codes;  // equal to a code, type, status or reason of the body
  // Part of the message or of a quota id, ignoring case; "*" stands for anything between.
  std::vector<std::string> texts;
  RuleReset reset = RuleReset::none;
  friend bool operator==(const ErrorRule&, const ErrorRule&) = default;
};

}  // namespace keyherd::model
