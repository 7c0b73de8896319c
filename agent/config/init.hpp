#pragma once

// The first configuration, for `keyherd init`.

#include <string>

#include "base/environment.hpp"

namespace keyherd::config {

// A commented keyherd.toml with every API key that the environment holds under its usual name
// (DEEPSEEK_API_KEY, OPENAI_API_KEY, …; also numbered, OPENAI_API_KEY_1, _2, …), as env:
// references, and a pool per provider. Without any, an example in comments. Always valid when
// loaded.
std::string make_initial_config(const Environment& environment);

}  // namespace keyherd::config
