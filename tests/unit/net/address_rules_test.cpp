#include "net/address_rules.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <string>

using namespace keyherd::net;

namespace {

sockaddr_storage address_of(const std::string& text) {
  sockaddr_storage storage{};
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    std::memcpy(&storage, &v4, sizeof(v4));
  } else {
    REQUIRE(inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1);
    v6.sin6_family = AF_INET6;
    std::memcpy(&storage, &v6, sizeof(v6));
  }
  return storage;
}

}  // namespace

TEST_CASE("link-local and metadata addresses are forbidden, in every dress") {
  for (const char* bad :
       {"169.254.169.254", "169.254.0.1", "100.100.100.200", "fe80::1", "febf::1", "fd00:ec2::254",
        "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::", "2002:a9fe:a9fe::1", "::ffff:100.100.100.200"}) {
    INFO(bad);
    CHECK(is_forbidden_address(address_of(bad)));
  }
  for (const char* good :
       {"127.0.0.1", "10.0.0.1", "169.253.0.1", "170.254.0.1", "8.8.8.8", "::1", "fec0::1",
        "fd00::1", "2001:db8::1", "::ffff:127.0.0.1", "64:ff9b::808:808", "2002:808:808::1"}) {
    INFO(good);
    CHECK_FALSE(is_forbidden_address(address_of(good)));
  }
}
