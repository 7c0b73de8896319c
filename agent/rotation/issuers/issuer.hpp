#pragma once

// Making and ending secrets at a provider. Blocking, each request with its own deadline; called on
// the step runner's threads. Any call may fail after the provider has done what was asked (the
// answer was lost), so whoever calls again says `maybe_done`, and the provider is asked first what
// exists under the name. What this folder promises: after a mint that succeeded, exactly one secret
// of that name exists; after an end that succeeded, none does.

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/redactor.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "model/issuer.hpp"
#include "net/transport.hpp"

namespace keyherd::rotation {

struct IssueContext {
  net::Transport& transport;
  Redactor& redactor;             // learns what is minted before anything else sees it
  const Secret* admin = nullptr;  // of the issuer; null when it has none
};

struct MintRequest {
  std::string name;  // "keyherd-<rotation>": found again by it
  std::string key;   // the id that gets the secret, for the user's command
  std::string slot;  // azure: which of the two ("key1")
  // azure: the secret that the slot had when this began; what it has now tells whether it was done.
  const Secret* replaced = nullptr;
  bool maybe_done = false;
};

struct Minted {
  Secret secret;
  std::string remote_id;
  std::optional<WallTime> expires_at;
};

struct RevokeRequest {
  std::string name;
  std::string remote_id;             // empty: whatever has the name
  const Secret* replaced = nullptr;  // azure, as above
  bool maybe_done = false;
};

// Errors: denied and invalid want a person (the admin secret, the request); unavailable and timeout
// may pass; cancelled is ours. After any of them the secret may exist all the same.
Result<Minted> mint(const model::Issuer& issuer, const MintRequest& request,
                    const IssueContext& context, std::stop_token stop);

// A secret that is gone already is a success. Azure's slots get a new secret in its place, which is
// returned. Errors as above.
Result<std::optional<Minted>> revoke(const model::Issuer& issuer, const RevokeRequest& request,
                                     const IssueContext& context, std::stop_token stop);

}  // namespace keyherd::rotation
