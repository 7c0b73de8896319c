#pragma once

// Who makes and ends secrets at a provider: an administration API, or a command of the user's.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/pool.hpp"
#include "model/secret_ref.hpp"

namespace keyherd::model {

enum class IssuerType { openrouter, litellm, openai, xai, newapi, azure, anthropic, command };
inline constexpr std::size_t kIssuerTypeCount = 8;
std::string_view to_string(IssuerType type);
std::optional<IssuerType> issuer_type_from_string(std::string_view name);

// The one mode in which a pool can use an issuer of this type.
RotationMode mode_of(IssuerType type);

struct Issuer {
  std::string id;
  IssuerType type = IssuerType::openrouter;
  std::string base_url;  // without a slash at its end; empty for `command`
  std::optional<SecretRef> admin_secret;
  // Whose keys: openai the project, xai the team, newapi the user's number, azure the account's
  // resource path ("/subscriptions/…/accounts/NAME").
  std::string owner;
  std::string request;  // a JSON object: further members of the request that makes a key
  std::vector<std::string> command;
  std::chrono::nanoseconds timeout = std::chrono::seconds(30);
  friend bool operator==(const Issuer&, const Issuer&) = default;
};

}  // namespace keyherd::model
