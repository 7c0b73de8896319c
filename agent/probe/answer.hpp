#pragma once

// An error answer taken apart: whatever shape a provider gives it, what remains are a message, the
// codes that name the error, and the fields that say when it ends. Inside this folder only.

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "net/transport.hpp"

namespace keyherd::probe {

struct Answer {
  int status = 0;  // HTTP; for an error inside a 200 the code that it carries, or 0
  std::shared_ptr<const nlohmann::json> body;  // null: not JSON
  std::string message;                         // "" when there is none
  std::vector<std::string> codes;
  std::string searchable;  // message, and the ids of quotas that were exceeded
};

// Leading white space (which DeepSeek sends while it is busy) is skipped.
Answer take_apart(const net::HttpResponse& response);

// Whether a body that came with a 200 is an error all the same.
bool holds_error(const nlohmann::json& body);

// For such an answer: its status is the error's own code when that is an HTTP status, else 0.
void demote(Answer& answer);

// The end of the condition by headers (retry-after-ms, retry-after) and fields of the body.
std::optional<WallTime> stated_end(const net::HttpResponse& response, const Answer& answer,
                                   WallTime now);

// A UTC date and time written out in a message: "… access on 2026-06-01 at 00:00 UTC."
std::optional<WallTime> time_in_message(std::string_view message);

}  // namespace keyherd::probe
