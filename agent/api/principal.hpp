#pragma once

// Who is asking, as the guard found out.

#include <string>
#include <string_view>
#include <vector>

#include "model/role.hpp"

namespace keyherd::api {

// Roles include the ones below them; a confined principal sees its pools only.
struct Principal {
  model::Role role = model::Role::metrics;
  std::vector<std::string> pools{};  // empty: not confined
  std::string name{};                // of the user or the token; empty: the token has none

  [[nodiscard]] bool may_see_pool(std::string_view pool) const;
};

}  // namespace keyherd::api
