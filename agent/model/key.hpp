#pragma once

// One credential. Its id survives the rotation of its secret, and its history belongs to the id.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "model/secret_ref.hpp"

namespace keyherd::model {

struct Key {
  std::string id;
  std::string provider;
  SecretRef secret;
  // The keys that share one wallet or rate limit. Empty in the configuration: the key is alone, and
  // the group is the key's own id.
  std::string limit_group;
  int priority = 1;  // higher is preferred; ≥ 1
  std::vector<std::string> quotas;
  std::map<std::string, std::string> labels;
  // The provider's own id of the secret, by which it is ended: OpenRouter's hash, Anthropic's
  // "apikey_…", Azure's "key1". Empty: not known.
  std::string provider_key_id;
  bool managed = false;  // the agent may end it at the provider, though it did not make it
  std::optional<WallTime> created_at;
  std::optional<WallTime> expires_at;
  std::optional<std::chrono::nanoseconds> max_age;  // counted from created_at
};

// What is known of a limit group besides its members.
struct LimitGroup {
  std::string id;
  std::vector<std::string> quotas;  // over the use of all its keys together
};

}  // namespace keyherd::model
