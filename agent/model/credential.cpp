#include "model/credential.hpp"

#include "model/enum_names.hpp"

namespace keyherd::model {

namespace {
constexpr std::array<std::string_view, 6> kCredentialStates{
    "intended", "live", "leaving", "revoking", "confirming", "needs_human"};
}  // namespace

std::string_view to_string(CredentialState state) {
  return name_of(kCredentialStates, state);
}

std::optional<CredentialState> credential_state_from_string(std::string_view name) {
  return value_of<CredentialState>(kCredentialStates, name);
}

}  // namespace keyherd::model
