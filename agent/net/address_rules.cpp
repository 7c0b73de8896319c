#include "net/address_rules.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace keyherd::net {

namespace {

using V4 = std::array<std::uint8_t, 4>;
using V6 = std::array<std::uint8_t, 16>;

bool is_forbidden(const V4& address) {
  constexpr V4 kAlibabaMetadata{100, 100, 100, 200};
  return (address[0] == 169 && address[1] == 254) || address == kAlibabaMetadata;
}

bool starts_with(const V6& address, std::span<const std::uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.begin());
}

V4 at(const V6& address, std::size_t offset) {
  return {address[offset], address[offset + 1], address[offset + 2], address[offset + 3]};
}

std::optional<V4> embedded(const V6& address) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  constexpr std::array<std::uint8_t, 12> kCompatible{};
  constexpr std::array<std::uint8_t, 12> kNat64{0, 0x64, 0xff, 0x9b};
  constexpr std::array<std::uint8_t, 2> k6to4{0x20, 0x02};
  if (starts_with(address, kMapped) || starts_with(address, kCompatible) ||
      starts_with(address, kNat64))
    return at(address, 12);
  if (starts_with(address, k6to4))
    return at(address, 2);
  return std::nullopt;
}

bool is_forbidden(const V6& address) {
  constexpr V6 kAmazonMetadata{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54};
  if (const auto v4 = embedded(address))
    return is_forbidden(*v4);
  return (address[0] == 0xfe && (address[1] & 0xc0U) == 0x80) || address == kAmazonMetadata;
}

}  // namespace

bool is_forbidden_address(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof(in));
    V4 bytes{};
    std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
    return is_forbidden(bytes);
  }
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address, sizeof(in));
    V6 bytes{};
    std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
    return is_forbidden(bytes);
  }
  return true;
}

}  // namespace keyherd::net
