#pragma once

// The rules of who may ask what: tokens, users, names. Tokens are kept as digests and compared in
// constant time, all of them at each request. Immutable, swapped whole at a reload; safe from any
// thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/passwords.hpp"
#include "api/principal.hpp"
#include "base/secret.hpp"

namespace keyherd::api {

class Tokens {
 public:
  void add(const Secret& token, Principal principal);
  [[nodiscard]] bool empty() const { return entries_.empty(); }

  // Of an Authorization header ("Bearer …"): nothing when it is malformed or unknown.
  [[nodiscard]] std::optional<Principal> find(std::string_view authorization) const;

 private:
  struct Entry {
    std::string digest;
    Principal principal;
  };
  std::vector<Entry> entries_;
};

struct Access {
  Tokens tokens;
  Users users;
  std::string listen_address = "127.0.0.1";
  std::vector<std::string> hosts;  // names that the agent is reached by

  // Without it there is nobody to tell from anybody: see Guard.
  [[nodiscard]] bool asks_who() const { return !tokens.empty() || !users.empty(); }
};

// Whether a Host header names this agent: a loopback name, one of access.hosts, or, when it listens
// beyond loopback, an address or (with no hosts listed) any name. A page of a stranger that had its
// own name resolve to this machine (DNS rebinding) is refused by it.
bool is_served_host(std::string_view host_header, const Access& access);

// Whether an Origin header ("https://keyherd.example:9925") is that of the page that this very Host
// serves.
bool is_same_origin(std::string_view origin, std::string_view host_header);

}  // namespace keyherd::api
