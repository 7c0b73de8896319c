#pragma once

// What a token's bearer may do. Each role includes the ones before it.

#include <cstddef>
#include <optional>
#include <string_view>

namespace keyherd::model {

enum class Role { metrics, read, consume, operate, admin };
inline constexpr std::size_t kRoleCount = 5;
std::string_view to_string(Role role);
std::optional<Role> role_from_string(std::string_view name);

// Whether `held` is enough where `needed` is asked for.
constexpr bool includes(Role held, Role needed) {
  return held >= needed;
}

}  // namespace keyherd::model
