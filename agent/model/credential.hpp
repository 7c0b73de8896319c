#pragma once

// A secret at a provider that the agent made or is to end: what must not be forgotten between the
// moment before the provider is asked to make it and the moment it is known to work no more.

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace keyherd::model {

enum class CredentialState {
  intended,     // the provider is being asked to make it; whether it did is not known
  live,         // it exists, and is ours to end
  leaving,      // to be ended once nobody uses it any more
  revoking,     // the provider (or a person) is being asked to end it; whether it did is not known
  confirming,   // ended, says the provider; it must be refused before we believe it
  needs_human,  // the agent cannot find out, or may not
};
std::string_view to_string(CredentialState state);
std::optional<CredentialState> credential_state_from_string(std::string_view name);

struct Credential {
  // Its name at the provider, by which it is found again; "keyherd-<rotation>" if the agent made
  // it.
  std::string name;
  std::string key;  // the id that it is (or was) the secret of
  std::string pool;
  std::string issuer;     // empty: a person ends it
  std::string remote_id;  // the provider's id of it; empty until known
  CredentialState state = CredentialState::intended;
  std::string rotation;                  // the one that brought it into this state
  WallTime since;                        // of this state
  WallTime not_before;                   // leaving: earliest moment of its end
  std::string note;                      // what holds it up, for people
  std::optional<WallTime> expires_at{};  // says the issuer; nothing: never, or not told
  friend bool operator==(const Credential&, const Credential&) = default;
};

}  // namespace keyherd::model
