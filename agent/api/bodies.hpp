#pragma once

// The JSON bodies that commands take. Errors: invalid, with the field and what it may be.

#include <string>

#include "api/control.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

namespace keyherd::api {

// "to", "reason", "dry_run"; an empty body says nothing.
Status read_command(const std::string& body, RotateCommand& command);
// "until", "reason"; a time that is not later than `now` is an error.
Status read_freeze(const std::string& body, WallTime now, model::Freeze& freeze);

// "key", "for" (a duration from 10s to 1h).
Status read_drill(const std::string& body, DrillCommand& command);

}  // namespace keyherd::api
