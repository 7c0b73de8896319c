#pragma once

// What one probe or one log line says about a key, and what the agent believes of it. Closed sets:
// the names are a contract with dashboards and scripts.

#include <array>
#include <optional>
#include <string_view>

namespace keyherd::model {

enum class Verdict {
  ok,
  invalid_key,        // wrong, deleted or revoked
  disabled_key,       // blocked, disabled, expired, reported as leaked
  account_disabled,   // the whole account is closed or locked
  permission_denied,  // a missing scope or model access: says nothing about the key's life
  region_denied,      // country or address not allowed: the agent's place, not the key
  balance_exhausted,  // prepaid money is gone
  quota_exhausted,    // a spend cap or a daily/monthly quota is reached
  rate_limited,       // slow down
  overloaded,         // the provider has no capacity
  server_error,       // the provider is broken, or its answer cannot be understood
  model_missing,      // the probe asks for a model that is not there: our configuration
  bad_request,        // the probe is malformed: our configuration
  upstream_auth,      // a gateway says that its own provider key is bad
  network,            // no answer: DNS, TCP, TLS, time-out
};
inline constexpr std::size_t kVerdictCount = 15;

// What a verdict lets us conclude (reliability: only auth and quota speak of the key).
enum class VerdictClass {
  good,      // ok
  auth,      // the key itself is refused
  quota,     // the key is good, its money or quota is not
  rate,      // the key is good, we or its users are too fast
  provider,  // the provider or the network fails: says nothing about the key
  request,   // our probe is wrong: says nothing about the key
};

// Whom a verdict touches besides the key that showed it.
enum class VerdictScope { key, limit_group, provider, agent };
std::string_view to_string(VerdictScope scope);
std::optional<VerdictScope> verdict_scope_from_string(std::string_view name);

struct VerdictInfo {
  Verdict verdict;
  std::string_view name;
  VerdictClass kind;
  VerdictScope scope;
  std::string_view meaning;  // one sentence for a person
};

// In the order of the enum.
const std::array<VerdictInfo, kVerdictCount>& verdict_table();
const VerdictInfo& info(Verdict verdict);
std::string_view to_string(Verdict verdict);
std::optional<Verdict> verdict_from_string(std::string_view name);

// What a bare HTTP status in a usage log says. 2xx is ok; 0 is network.
Verdict verdict_from_status(int http_status);

enum class KeyState {
  unknown,  // not proven yet
  healthy,
  throttled,  // good, but to be left alone until a time
  exhausted,  // good, but without money or quota
  degraded,   // answers, but not as it should (permissions, errors above the limit)
  dead,       // refused by the provider, proven
  paused,     // out of service by hand
};
inline constexpr std::size_t kKeyStateCount = 7;

const std::array<std::string_view, kKeyStateCount>& key_state_names();
std::string_view to_string(KeyState state);
std::optional<KeyState> key_state_from_string(std::string_view name);

// Whether consumers can be given a key in this state.
bool is_usable(KeyState state);

}  // namespace keyherd::model
