#include "model/issuer.hpp"

#include "model/enum_names.hpp"

namespace keyherd::model {

namespace {
constexpr std::array<std::string_view, kIssuerTypeCount> kIssuerTypes{
    "openrouter", "litellm", "openai", "xai", "newapi", "azure", "anthropic", "command"};
}  // namespace

std::string_view to_string(IssuerType type) {
  return name_of(kIssuerTypes, type);
}

std::optional<IssuerType> issuer_type_from_string(std::string_view name) {
  return value_of<IssuerType>(kIssuerTypes, name);
}

RotationMode mode_of(IssuerType type) {
  switch (type) {
    case IssuerType::openrouter:
    case IssuerType::litellm:
    case IssuerType::openai:
    case IssuerType::xai:
    case IssuerType::newapi:
      return RotationMode::provision;
    case IssuerType::azure:
      return RotationMode::slot;
    case IssuerType::anthropic:
      return RotationMode::deactivate;
    case IssuerType::command:
      return RotationMode::command;
  }
  return RotationMode::provision;
}

}  // namespace keyherd::model
