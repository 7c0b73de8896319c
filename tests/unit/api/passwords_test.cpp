#include "api/passwords.hpp"

#include <catch2/catch.hpp>

#include "base/bcrypt.hpp"
#include "base/text.hpp"

using namespace keyherd;
using namespace keyherd::api;

namespace {

std::string basic(const std::string& text) {
  return "Basic " + base64(text);
}

}  // namespace

TEST_CASE("a Basic header is a user and a password, which may have colons") {
  const auto plain = parse_basic(basic("prometheus:a:b"));
  REQUIRE(plain);
  CHECK(plain->user == "prometheus");
  CHECK(plain->password == "a:b");
  CHECK(parse_basic("basic " + base64("u:"))->password.empty());
  CHECK(parse_basic(basic(":p"))->user.empty());
  for (std::size_t length = 1; length < 40; ++length) {
    const std::string text = "u:" + std::string(length, '\xfe');
    CHECK(parse_basic(basic(text))->password == text.substr(2));
  }
  for (const std::string& bad :
       {std::string(), std::string("Basic"), std::string("Basic "), basic("no colon"),
        std::string("Basic dTpw="), std::string("Basic dT=w"), std::string("Basic dTpw\xff"),
        std::string("Basic dTp"), std::string("Bearer dTpw"), std::string("Basic ====")})
    CHECK_FALSE(parse_basic(bad));
}

TEST_CASE("known passwords are known by user, password and hash together") {
  KnownPasswords known;
  known.add({"u", "p"}, "h");
  CHECK(known.contains({"u", "p"}, "h"));
  // Neither other parts nor the same letters cut elsewhere (CVE-2022-46146).
  CHECK_FALSE(known.contains({"up", ""}, "h"));
  CHECK_FALSE(known.contains({"u", "ph"}, ""));
  CHECK_FALSE(known.contains({"u", "h"}, "p"));
  CHECK_FALSE(known.contains({"u", "p"}, "other"));
  CHECK_FALSE(KnownPasswords().contains({"u", "p"}, "h"));
}

TEST_CASE("only so many passwords are known, the latest") {
  KnownPasswords known;
  for (int i = 0; i < 1'000; ++i)
    known.add({"u" + std::to_string(i), "p"}, "h");
  int count = 0;
  for (int i = 0; i < 1'000; ++i)
    count += known.contains({"u" + std::to_string(i), "p"}, "h") ? 1 : 0;
  CHECK(count == 256);
  CHECK(known.contains({"u999", "p"}, "h"));
}

TEST_CASE("a name that is not there costs as much as the costliest one that is") {
  Users users;
  users.add(bcrypt_decoy(12), {model::Role::read, {}, "a"});
  users.add(bcrypt_decoy(10), {model::Role::read, {}, "b"});
  CHECK(users.find("c") == nullptr);
  CHECK(bcrypt_cost(users.decoy()) == 12);
}
