#include "model/verdict.hpp"

#include "model/enum_names.hpp"

namespace keyherd::model {

const std::array<VerdictInfo, kVerdictCount>& verdict_table() {
  using V = Verdict;
  using C = VerdictClass;
  using S = VerdictScope;
  static constexpr std::array<VerdictInfo, kVerdictCount> kTable{{
      {V::ok, "ok", C::good, S::key, "The provider accepts the key."},
      {V::invalid_key, "invalid_key", C::auth, S::key, "The provider refuses the key."},
      {V::disabled_key, "disabled_key", C::auth, S::key,
       "The key is disabled, expired or reported as leaked."},
      {V::account_disabled, "account_disabled", C::auth, S::limit_group,
       "The whole account is closed or locked."},
      {V::permission_denied, "permission_denied", C::request, S::key,
       "The key is known but may not do this."},
      {V::region_denied, "region_denied", C::request, S::agent,
       "The provider does not serve this country or address."},
      {V::balance_exhausted, "balance_exhausted", C::quota, S::limit_group,
       "The account's money is used up."},
      {V::quota_exhausted, "quota_exhausted", C::quota, S::limit_group,
       "A quota or spend limit at the provider is reached."},
      {V::rate_limited, "rate_limited", C::rate, S::limit_group, "The provider asks to slow down."},
      {V::overloaded, "overloaded", C::provider, S::provider, "The provider has no capacity."},
      {V::server_error, "server_error", C::provider, S::provider,
       "The provider is broken or its answer cannot be understood."},
      {V::model_missing, "model_missing", C::request, S::agent,
       "The probe's model does not exist."},
      {V::bad_request, "bad_request", C::request, S::agent, "The probe itself is malformed."},
      {V::upstream_auth, "upstream_auth", C::provider, S::provider,
       "The gateway's own provider key is bad."},
      {V::network, "network", C::provider, S::agent, "No answer: DNS, TCP, TLS or a time-out."},
  }};
  return kTable;
}

const VerdictInfo& info(Verdict verdict) {
  return verdict_table()[static_cast<std::size_t>(verdict)];
}

std::string_view to_string(Verdict verdict) {
  return info(verdict).name;
}

namespace {
constexpr std::array<std::string_view, 4> kScopes{"key", "limit_group", "provider", "agent"};
}  // namespace

std::string_view to_string(VerdictScope scope) {
  return name_of(kScopes, scope);
}
std::optional<VerdictScope> verdict_scope_from_string(std::string_view name) {
  return value_of<VerdictScope>(kScopes, name);
}

std::optional<Verdict> verdict_from_string(std::string_view name) {
  for (const VerdictInfo& row : verdict_table()) {
    if (row.name == name)
      return row.verdict;
  }
  return std::nullopt;
}

Verdict verdict_from_status(int http_status) {
  if (http_status >= 200 && http_status < 300)
    return Verdict::ok;
  switch (http_status) {
    case 0:
      return Verdict::network;
    case 401:
      return Verdict::invalid_key;
    case 402:
      return Verdict::balance_exhausted;
    case 403:
      return Verdict::permission_denied;
    case 404:
      return Verdict::model_missing;
    case 429:
      return Verdict::rate_limited;
    case 503:
    case 529:
      return Verdict::overloaded;
    default:
      return http_status >= 500 || http_status == 408 ? Verdict::server_error
                                                      : Verdict::bad_request;
  }
}

const std::array<std::string_view, kKeyStateCount>& key_state_names() {
  static constexpr std::array<std::string_view, kKeyStateCount> kNames{
      "unknown", "healthy", "throttled", "exhausted", "degraded", "dead", "paused"};
  return kNames;
}

std::string_view to_string(KeyState state) {
  return name_of(key_state_names(), state);
}

std::optional<KeyState> key_state_from_string(std::string_view name) {
  return value_of<KeyState>(key_state_names(), name);
}

bool is_usable(KeyState state) {
  switch (state) {
    case KeyState::healthy:
    case KeyState::degraded:
      return true;
    case KeyState::unknown:
    case KeyState::throttled:
    case KeyState::exhausted:
    case KeyState::dead:
    case KeyState::paused:
      return false;
  }
  return false;
}

}  // namespace keyherd::model
