#pragma once

// Closed sets by name: one array in the order of the enum serves both directions.

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

namespace keyherd::model {

template <class Enum, std::size_t N>
constexpr std::string_view name_of(const std::array<std::string_view, N>& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

template <class Enum, std::size_t N>
std::optional<Enum> value_of(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

}  // namespace keyherd::model
