#include "model/role.hpp"

#include "model/enum_names.hpp"

namespace keyherd::model {

namespace {
constexpr std::array<std::string_view, kRoleCount> kRoles{"metrics", "read", "consume", "operate",
                                                          "admin"};
}  // namespace

std::string_view to_string(Role role) {
  return name_of(kRoles, role);
}
std::optional<Role> role_from_string(std::string_view name) {
  return value_of<Role>(kRoles, name);
}

}  // namespace keyherd::model
