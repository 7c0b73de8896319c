#include "api/auth.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "net/transport.hpp"

namespace keyherd::api {

namespace {

// "keyherd.example" of "keyherd.example:9925", "::1" of "[::1]:9925".
std::string_view name_of_host(std::string_view host) {
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    return end == std::string_view::npos ? std::string_view() : host.substr(1, end - 1);
  }
  return host.substr(0, host.rfind(':'));
}

bool is_address(std::string_view name) {
  const std::string text(name);
  std::array<unsigned char, 16> address{};
  return ::inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

}  // namespace

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

bool is_served_host(std::string_view host_header, const Access& access) {
  const std::string_view name = name_of_host(host_header);
  if (net::is_loopback_host(name))
    return true;
  if (std::any_of(access.hosts.begin(), access.hosts.end(),
                  [name](const std::string& host) { return equals_ignore_case(host, name); }))
    return true;
  // No other machine's page can be called by an address of this one.
  return !net::is_loopback_host(access.listen_address) &&
         (access.hosts.empty() || is_address(name));
}

bool is_same_origin(std::string_view origin, std::string_view host_header) {
  const auto scheme_end = origin.find("://");
  return scheme_end != std::string_view::npos &&
         equals_ignore_case(origin.substr(scheme_end + 3), host_header);
}

}  // namespace keyherd::api
