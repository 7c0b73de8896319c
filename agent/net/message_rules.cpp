#include "net/message_rules.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace keyherd::net {

namespace {

bool is_visible(char c) {
  return c > 0x20 && c < 0x7f;
}

bool is_token_character(char c) {
  constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kPunctuation.find(c) != std::string_view::npos;
}

}  // namespace

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character);
}

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c != '\t' && is_control(c); });
}

bool is_plain_value(std::string_view text) {
  if (!text.empty() && (text.front() == ' ' || text.back() == ' '))
    return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c == ' ' || is_visible(c); });
}

bool is_credential(std::string_view text) {
  return !text.empty() && is_visible_ascii(text);
}

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), is_visible);
}

std::string without_controls(std::string_view value) {
  std::string clean(value);
  std::replace_if(clean.begin(), clean.end(), is_control, ' ');
  return clean;
}

bool has_option(std::string_view value, std::string_view option) {
  const auto parts = split(value, ',');
  return std::any_of(parts.begin(), parts.end(), [option](std::string_view part) {
    return equals_ignore_case(trim(part), option);
  });
}

}  // namespace keyherd::net
