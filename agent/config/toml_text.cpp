#include "config/toml_text.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <sstream>

namespace keyherd::config {

namespace {

Position position_of(const toml::source_region& source) {
  return {static_cast<int>(source.begin.line), static_cast<int>(source.begin.column)};
}

template <class T>
DateText date_text(const T& value) {
  std::ostringstream text;
  text << value;
  return {text.str()};
}

// Recursion is bounded: toml++ refuses documents nested deeper than 256.
Node convert(const toml::node& node) {
  Node result{position_of(node.source()), {}};
  if (const auto* table = node.as_table()) {
    Table members;
    members.reserve(table->size());
    for (const auto& [key, value] : *table)
      members.push_back({std::string(key.str()), position_of(key.source()), convert(value)});
    result.value = std::move(members);
  } else if (const auto* array = node.as_array()) {
    List items;
    items.reserve(array->size());
    for (const toml::node& item : *array)
      items.push_back(convert(item));
    result.value = std::move(items);
  } else if (const auto* text = node.as_string()) {
    result.value = text->get();
  } else if (const auto* integer = node.as_integer()) {
    result.value = integer->get();
  } else if (const auto* real = node.as_floating_point()) {
    result.value = real->get();
  } else if (const auto* boolean = node.as_boolean()) {
    result.value = boolean->get();
  } else if (const auto* moment = node.as_date_time()) {
    result.value = date_text(moment->get());
  } else if (const auto* date = node.as_date()) {
    result.value = date_text(date->get());
  } else if (const auto* time = node.as_time()) {
    result.value = date_text(time->get());
  }
  return result;
}

// toml++ quotes the input, which may be a secret without its quotes: only short quotations, which
// are punctuation and keywords of TOML, are let through.
std::string without_input(std::string_view description) {
  std::string result;
  std::size_t at = 0;
  while (at < description.size()) {
    const auto open = description.find('\'', at);
    const auto close = open == std::string_view::npos ? open : description.find('\'', open + 1);
    if (close == std::string_view::npos) {
      result += description.substr(at, open == std::string_view::npos ? open : open - at);
      break;
    }
    const std::string_view quote = description.substr(open, close - open + 1);
    result += description.substr(at, open - at);
    if (quote.size() <= 4 || quote == "'true'" || quote == "'false'")
      result += quote;
    else
      result += "the value";
    at = close + 1;
  }
  return result;
}

std::string explain(std::string_view description) {
  if (description.find("cannot redefine") != std::string_view::npos)
    return "not valid TOML: this name is defined twice";
  if (description.find("could not determine value type") != std::string_view::npos)
    return "not valid TOML: this is no value; text is written in quotes";
  constexpr std::string_view kPrefix = "Error while parsing ";
  if (description.substr(0, kPrefix.size()) == kPrefix)
    description.remove_prefix(kPrefix.size());
  description = description.substr(0, description.find(", saw "));
  return fmt::format("not valid TOML: {}", without_input(description));
}

}  // namespace

std::optional<Node> parse_toml(std::string_view text, std::size_t file, Report& report) {
  try {
    return convert(toml::parse(text));
  } catch (const toml::parse_error& error) {
    report.error({file, position_of(error.source())}, "", explain(error.description()));
    return std::nullopt;
  }
}

}  // namespace keyherd::config
