#pragma once

// The formats that need no mapping of one's own: one row each.

#include <string>
#include <string_view>
#include <vector>

#include "usage/mapping.hpp"

namespace keyherd::usage {

struct Preset {
  std::string_view name;
  std::string_view alias;    // a second name, or nothing
  std::string_view summary;  // what writes it
  FormatText format;
};

// The native format first.
const std::vector<Preset>& presets();
// By name or alias; nullptr: there is none.
const Preset* find_preset(std::string_view name);
// All names and aliases.
std::vector<std::string> format_names();

}  // namespace keyherd::usage
