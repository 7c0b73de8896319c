#include "base/secret.hpp"

#include <catch2/catch.hpp>
#include <sstream>
#include <type_traits>

using namespace keyherd;

namespace {
template <class T>
concept Streamable = requires(std::ostream& out, const T& value) {
  out << value;
};
}  // namespace

TEST_CASE("a secret cannot be printed or copied by accident") {
  STATIC_REQUIRE_FALSE(Streamable<Secret>);
  STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<Secret>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<std::string, Secret>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<Secret, std::string>);
}

TEST_CASE("a moved-from secret is empty, a clone is equal") {
  Secret secret("sk-0123456789");
  const Secret copy = secret.clone();
  const Secret moved = std::move(secret);
  CHECK(secret.empty());  // NOLINT(bugprone-use-after-move): that is the promise
  CHECK(moved == copy);
  CHECK_FALSE(moved == Secret("sk-0123456788"));
  CHECK_FALSE(moved == Secret("sk-012345678"));
}

TEST_CASE("fingerprints depend on the installation, log aliases do not") {
  const Secret secret("sk-0123456789");
  CHECK(fingerprint(secret, "one").size() == 12);
  CHECK(fingerprint(secret, "one") == fingerprint(secret, "one"));
  CHECK(fingerprint(secret, "one") != fingerprint(secret, "two"));
  // echo -n sk-0123456789 | sha256sum
  CHECK(log_alias(secret) == to_hex(sha256("sk-0123456789")).substr(0, 12));
  CHECK(to_hex(sha256("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("comparison of tokens") {
  CHECK(equal_constant_time("token", "token"));
  CHECK_FALSE(equal_constant_time("token", "tokem"));
  CHECK_FALSE(equal_constant_time("token", "tokens"));
  CHECK_FALSE(equal_constant_time("", "x"));
}
