#pragma once

// Where a secret is to be found. The configuration never holds the secret itself.

#include <string>
#include <vector>

namespace keyherd::model {

struct SecretRef {
  enum class Kind { env, file, exec, credential, keyring };
  Kind kind = Kind::env;
  std::string name;               // env: variable; file: path; credential, keyring: id
  std::vector<std::string> argv;  // exec only
  // As written: "env:NAME". Safe to show.
  std::string text;
  friend bool operator==(const SecretRef&, const SecretRef&) = default;
};

}  // namespace keyherd::model
