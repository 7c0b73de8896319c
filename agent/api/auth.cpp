#include "api/auth.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "net/transport.hpp"

namespace keyherd::api {

bool Principal::may_see_pool(std::string_view pool) const {
  return pools.empty() || std::find(pools.begin(), pools.end(), pool) != pools.end();
}

void Tokens::add(const Secret& token, Principal principal) {
  entries_.push_back(Entry{sha256(token.reveal()), std::move(principal)});
}

std::optional<Principal> Tokens::find(std::string_view authorization) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (authorization.size() <= kScheme.size() ||
      !equals_ignore_case(authorization.substr(0, kScheme.size()), kScheme))
    return std::nullopt;
  const std::string digest = sha256(trim(authorization.substr(kScheme.size())));
  std::optional<Principal> found;
  for (const Entry& entry : entries_) {  // never stops early: the time says nothing
    if (equal_constant_time(digest, entry.digest) && !found)
      found = entry.principal;
  }
  return found;
}

bool is_allowed_host(std::string_view host_header, std::string_view listen_address) {
  if (!net::is_loopback_host(listen_address))
    return true;
  std::string_view host = host_header;
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else if (const auto colon = host.rfind(':'); colon != std::string_view::npos) {
    host = host.substr(0, colon);
  }
  return equals_ignore_case(host, "localhost") || host == listen_address ||
         net::is_loopback_host(host);
}

}  // namespace keyherd::api
