#include "base/environment.hpp"

#include <cstdlib>

namespace keyherd {

std::optional<std::string> ProcessEnvironment::get(const std::string& name) const {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr)
    return std::nullopt;
  return std::string(value);
}

std::optional<std::string> FixedEnvironment::get(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end())
    return std::nullopt;
  return found->second;
}

}  // namespace keyherd
