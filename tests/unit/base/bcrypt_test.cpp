#include "base/bcrypt.hpp"

#include <catch2/catch.hpp>

using namespace keyherd;

namespace {

// Of OpenBSD's own test vectors: "allmine".
const std::string kAllMine = "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga";

}  // namespace

TEST_CASE("a bcrypt hash is that of its password, whatever its dialect") {
  CHECK(matches_bcrypt("allmine", kAllMine));
  std::string other = kAllMine;
  for (const char dialect : {'y', 'b'}) {
    other[2] = dialect;
    CHECK(matches_bcrypt("allmine", other));
  }
  for (const char* wrong : {"", "allmin", "allminee", "Allmine"})
    CHECK_FALSE(matches_bcrypt(wrong, kAllMine));
  // CVE-2022-46146: a hash must never be as good as its password.
  CHECK_FALSE(matches_bcrypt(kAllMine, kAllMine));
}

TEST_CASE("what bcrypt would not look at does not make a password good") {
  CHECK_FALSE(matches_bcrypt(std::string("allmine\0and more", 16), kAllMine));
  // Of 72 times 'x'.
  const std::string longest = "$2b$10$abcdefghijklmnopqrstuuhBb/0dYbuuS1CS8hp30IXhlFBW2VAWG";
  CHECK(matches_bcrypt(std::string(72, 'x'), longest));
  CHECK_FALSE(matches_bcrypt(std::string(73, 'x'), longest));
}

TEST_CASE("hashes that are none, too cheap or too dear are refused without a quote") {
  CHECK(check_bcrypt(kAllMine));
  for (const std::string& bad :
       {std::string(), std::string("allmine"), kAllMine + "x", kAllMine.substr(1),
        "$2x" + kAllMine.substr(3), "$2y$9a$" + kAllMine.substr(7), "$2y$09$" + kAllMine.substr(7),
        "$2y$15$" + kAllMine.substr(7), kAllMine.substr(0, 59) + ":",
        std::string("$1$abcdefgh$OaUO0fsuZFZ2Ji7k7mZWB1")}) {
    INFO(bad);
    const Status checked = check_bcrypt(bad);
    REQUIRE_FALSE(checked);
    CHECK_THAT(checked.error().message, Catch::Contains("htpasswd"));
    if (!bad.empty())
      CHECK_THAT(checked.error().message, !Catch::Contains(bad));
  }
}

TEST_CASE("no password has the decoy's hash, which costs as much as a real one") {
  const std::string decoy = bcrypt_decoy(10);
  CHECK(check_bcrypt(decoy));
  CHECK(bcrypt_cost(decoy) == 10);
  for (const char* tried : {"", "allmine", "decoy"})
    CHECK_FALSE(matches_bcrypt(tried, decoy));
}
