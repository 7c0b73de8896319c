#pragma once

// Keys as JSON, in a scenario file and in the control API. Inside this folder only.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.hpp"
#include "sandbox/sandbox.hpp"

namespace keyherd::sandbox {

// `where` begins error messages: "keys[3]". Error: invalid.
Result<SandboxKey> read_key(const nlohmann::json& value, const std::string& where);

}  // namespace keyherd::sandbox
