#pragma once

// Parts of error tables that several provider types share. Inside this folder only.

#include <vector>

#include "probe/provider_type.hpp"

namespace keyherd::probe {

inline constexpr StatusRange kAnyServerError{500, 599};

// A status as a range of one.
constexpr StatusRange only(int status) {
  return {status, status};
}

// The billing and account codes of the OpenAI API, which most compatible services speak.
const std::vector<Rule>& openai_code_rules();

// What remains when no rule of the type matched: texts that mean money, then the status alone. Ends
// with rules for every status from 100 to 599 but the successes.
const std::vector<Rule>& generic_rules();

// first, then second.
std::vector<Rule> joined(std::vector<Rule> first, const std::vector<Rule>& second);

}  // namespace keyherd::probe
