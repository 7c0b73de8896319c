#include "net/request_target.hpp"

#include <algorithm>
#include <optional>

#include "base/text.hpp"
#include "net/message_rules.hpp"

namespace keyherd::net {

namespace {

constexpr std::size_t kMaxParameters = 100;

std::optional<unsigned> hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return static_cast<unsigned>(c - '0');
  const char lower = static_cast<char>(c | 0x20);
  if (lower >= 'a' && lower <= 'f')
    return static_cast<unsigned>(lower - 'a') + 10U;
  return std::nullopt;
}

std::optional<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_space)
      c = ' ';
    if (c == '%') {
      const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
      const auto low = high ? hex_digit(text[i + 2]) : std::nullopt;
      if (!low)
        return std::nullopt;
      c = static_cast<char>(*high * 16U + *low);
      i += 2;
    }
    decoded.push_back(c);
  }
  if (std::any_of(decoded.begin(), decoded.end(), is_control) || !is_valid_utf8(decoded))
    return std::nullopt;
  return decoded;
}

bool read_path(std::string_view text, RequestTarget& target) {
  for (const std::string_view part : split(text.substr(1), '/')) {
    auto segment = decode(part, false);
    if (!segment)
      return false;
    target.path += '/';
    target.path += *segment;
    target.segments.push_back(std::move(*segment));
  }
  return true;
}

bool read_query(std::string_view text, RequestTarget& target) {
  for (const std::string_view pair : split(text, '&')) {
    if (pair.empty())
      continue;
    const auto equals = std::min(pair.find('='), pair.size());
    auto name = decode(pair.substr(0, equals), true);
    auto value = decode(equals < pair.size() ? pair.substr(equals + 1) : std::string_view(), true);
    if (!name || !value || target.query.size() >= kMaxParameters)
      return false;
    target.query.emplace(std::move(*name), std::move(*value));
  }
  return true;
}

}  // namespace

OrRefusal<RequestTarget> parse_target(std::string_view text) {
  RequestTarget target;
  const auto mark = std::min(text.find('?'), text.size());
  const bool readable = !text.empty() && text.front() == '/' &&
                        read_path(text.substr(0, mark), target) &&
                        (mark == text.size() || read_query(text.substr(mark + 1), target));
  if (!readable)
    return refuse(400, "bad_request", "the path or the query is not properly percent-encoded text");
  return target;
}

}  // namespace keyherd::net
