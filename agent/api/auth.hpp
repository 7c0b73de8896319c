#pragma once

// Who may ask what. Tokens are kept as digests and compared in constant time, all of them at each
// request. Immutable, swapped whole at a reload; safe from any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.hpp"
#include "model/role.hpp"

namespace keyherd::api {

// Who is asking. Roles include the ones below them; a confined principal sees its pools only.
struct Principal {
  model::Role role = model::Role::metrics;
  std::vector<std::string> pools;  // empty: not confined

  [[nodiscard]] bool may_see_pool(std::string_view pool) const;
};

class Tokens {
 public:
  void add(const Secret& token, Principal principal);
  [[nodiscard]] bool empty() const { return entries_.empty(); }

  // Of an Authorization header ("Bearer …"): nothing when it is absent, malformed or unknown.
  [[nodiscard]] std::optional<Principal> find(std::string_view authorization) const;

 private:
  struct Entry {
    std::string digest;
    Principal principal;
  };
  std::vector<Entry> entries_;
};

// Whether a Host header names this agent: any host when it listens beyond loopback (then tokens are
// required), else only loopback names. Guards a browser on the same machine against DNS rebinding.
bool is_allowed_host(std::string_view host_header, std::string_view listen_address);

}  // namespace keyherd::api
