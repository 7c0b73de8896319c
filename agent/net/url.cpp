#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "net/message_rules.hpp"
#include "net/transport.hpp"

namespace keyherd::net {

namespace {

constexpr std::size_t kMaxUrl = 8192;
constexpr std::size_t kMaxHost = 253;

struct Authority {
  std::string host;
  std::string_view port;  // empty when there is none
};

bool is_ipv6(const std::string& text) {
  std::array<unsigned char, 16> address{};
  return inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

bool is_number(std::string_view label) {
  const auto digits = label.starts_with("0x") ? label.substr(2) : label;
  const std::string_view known = label.starts_with("0x") ? "0123456789abcdef" : "0123456789";
  return digits.find_first_not_of(known) == std::string_view::npos;
}

// "127.1", "2130706433" and "0x7f.0.0.1" are addresses to some resolvers and names to others.
bool is_odd_address(const std::string& host) {
  in_addr address{};
  const std::string_view text =
      host.ends_with('.') ? std::string_view(host).substr(0, host.size() - 1) : host;
  return is_number(text.substr(text.rfind('.') + 1)) &&
         inet_pton(AF_INET, host.c_str(), &address) != 1;
}

Result<Authority> split_authority(std::string_view authority) {
  if (authority.find('@') != std::string_view::npos)
    return fail(ErrorCode::invalid, "reading a URL: user info (\"name@\") is not allowed in it");
  Authority parts;
  std::string_view rest;
  if (!authority.empty() && authority.front() == '[') {
    const auto end = authority.find(']');
    if (end == std::string_view::npos || !is_ipv6(std::string(authority.substr(1, end - 1))))
      return fail(ErrorCode::invalid, "reading a URL: the host in brackets is no IPv6 address");
    parts.host = to_lower(authority.substr(1, end - 1));
    rest = authority.substr(end + 1);
  } else {
    const auto end = std::min(authority.find(':'), authority.size());
    parts.host = to_lower(authority.substr(0, end));
    rest = authority.substr(end);
    if (!std::all_of(parts.host.begin(), parts.host.end(), is_name_character))
      return fail(ErrorCode::invalid, "reading a URL: the host has a character no host has");
    if (is_odd_address(parts.host))
      return fail(ErrorCode::invalid,
                  "reading a URL: an address is written as four decimal numbers");
  }
  if (parts.host.empty() || parts.host.size() > kMaxHost)
    return fail(ErrorCode::invalid, "reading a URL: the host is missing or too long");
  if (!rest.empty() && (rest.front() != ':' || rest.size() == 1))
    return fail(ErrorCode::invalid, "reading a URL: the port is missing after the host");
  parts.port = rest.empty() ? rest : rest.substr(1);
  return parts;
}

Result<int> read_port(std::string_view digits, const std::string& scheme) {
  if (digits.empty())
    return scheme == "https" ? 443 : 80;
  const auto port = parse_int(digits);
  if (!port || *port < 1 || *port > 65'535)
    return fail(ErrorCode::invalid, "reading a URL: the port must be a number from 1 to 65535");
  return static_cast<int>(*port);
}

}  // namespace

Result<UrlParts> parse_url(std::string_view url) {
  if (url.size() > kMaxUrl)
    return fail(ErrorCode::invalid, "reading a URL: it is longer than 8192 bytes");
  if (!is_visible_ascii(url) || url.find_first_of("\\#\"<>^`{|}") != std::string_view::npos)
    return fail(ErrorCode::invalid,
                "reading a URL: spaces, control characters, fragments and characters that must be "
                "percent-encoded are not allowed");
  const auto scheme_end = url.find("://");
  UrlParts parts;
  if (scheme_end != std::string_view::npos)
    parts.scheme = to_lower(url.substr(0, scheme_end));
  if (parts.scheme != "http" && parts.scheme != "https")
    return fail(ErrorCode::invalid, "reading a URL: it must start with http:// or https://");
  const std::string_view rest = url.substr(scheme_end + 3);
  const auto authority_end = std::min(rest.find_first_of("/?"), rest.size());
  KH_ASSIGN(const Authority authority, split_authority(rest.substr(0, authority_end)));
  KH_ASSIGN(parts.port, read_port(authority.port, parts.scheme));
  parts.host = authority.host;
  parts.target = std::string(rest.substr(authority_end));
  if (parts.target.empty() || parts.target.front() == '?')
    parts.target.insert(0, 1, '/');
  return parts;
}

bool is_loopback_host(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  // Only names and addresses that every resolver takes to this machine: "127.1", "x.localhost" and
  // other spellings are left to be refused.
  if (equals_ignore_case(host, "localhost") || equals_ignore_case(host, "localhost."))
    return true;
  const std::string text(host);
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1)
    return (ntohl(v4.s_addr) >> 24U) == 127;
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1)
    return false;
  const auto& bytes = v6.s6_addr;
  const bool mapped = std::all_of(bytes, bytes + 10, [](auto byte) { return byte == 0; }) &&
                      bytes[10] == 0xff && bytes[11] == 0xff;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (mapped && bytes[12] == 127);
}

}  // namespace keyherd::net
