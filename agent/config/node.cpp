#include "config/node.hpp"

#include <array>

namespace keyherd::config {

std::string_view describe_kind(const Node& node) {
  // In the order of Node::value.
  static constexpr std::array<std::string_view, std::variant_size_v<decltype(Node::value)>> kNames{
      "nothing",       "text",   "a whole number", "a decimal number",
      "true or false", "a date", "a list",         "a table"};
  return kNames.at(node.value.index());
}

}  // namespace keyherd::config
