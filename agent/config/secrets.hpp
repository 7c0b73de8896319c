#pragma once

// References to secrets: reading them from configuration text, and following them to the secret.
// No message of this header ever contains a secret's value.

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/environment.hpp"
#include "base/files.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "model/secret_ref.hpp"

namespace keyherd::config {

// "env:NAME", "file:PATH", "credential:NAME", "keyring:ID" or "exec:[\"cmd\", \"arg\"]" (a JSON
// array). A relative PATH begins at `directory`. Anything else is taken for a literal secret and
// refused without being quoted.
Result<model::SecretRef> parse_secret_ref(std::string_view text, std::string_view directory = ".");

// Where references lead. Everything referred to outlives the call.
struct SecretSources {
  const Environment& environment;
  const FileSystem& files;
  std::chrono::milliseconds timeout{10'000};  // of exec
  // Unseals an entry of the agent's own store; without it keyring references are an error.
  std::function<Result<Secret>(const std::string& id)> keyring{};
};

// The secret behind a reference, without the newline that ends it in a file or in a command's
// output. Files must belong to the agent's user or to root and be closed to everyone else. Blocks
// while an exec command runs. Errors: not_found, denied, invalid (empty), too_large, unavailable
// (the command failed), timeout, cancelled.
Result<Secret> resolve_secret(const model::SecretRef& reference, const SecretSources& sources,
                              const std::stop_token& stop = {});

// The content of a file under the same rules.
Result<Secret> read_secret_file(const std::string& path, const FileSystem& files);

// Whether a value can be an API key: 8 to 4096 printable ASCII characters without spaces.
Status check_secret_value(const Secret& secret);

}  // namespace keyherd::config
