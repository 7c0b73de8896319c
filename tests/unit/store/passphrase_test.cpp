#include "store/passphrase.hpp"

#include <catch2/catch.hpp>

using namespace keyherd;
using namespace keyherd::store;

TEST_CASE("what a passphrase sealed opens with it, and with nothing else") {
  const Secret passphrase("correct horse battery");
  const auto box = seal_with_passphrase(passphrase, Secret("sk-canary")).value();
  CHECK(open_with_passphrase(passphrase, box).value() == Secret("sk-canary"));
  CHECK((box.salt + box.nonce + box.box).find("canary") == std::string::npos);
  CHECK(open_with_passphrase(Secret("another passphrase"), box).error().code == ErrorCode::denied);
  PassphraseBox altered = box;
  altered.box[0] = altered.box[0] == '0' ? '1' : '0';
  CHECK(open_with_passphrase(passphrase, altered).error().code == ErrorCode::denied);
  const auto again = seal_with_passphrase(passphrase, Secret("sk-canary")).value();
  CHECK(again.salt != box.salt);
  CHECK(again.box != box.box);
}

TEST_CASE("a short passphrase and a box that is none are refused") {
  CHECK(seal_with_passphrase(Secret("eleven char"), Secret("x")).error().code ==
        ErrorCode::invalid);
  const Secret passphrase("correct horse battery");
  CHECK(open_with_passphrase(passphrase, {}).error().code == ErrorCode::invalid);
  PassphraseBox greedy{1, 1ULL << 40U, std::string(32, '0'), std::string(48, '0'),
                       std::string(64, '0')};
  CHECK(open_with_passphrase(passphrase, greedy).error().code == ErrorCode::invalid);
}

TEST_CASE("many secrets travel as one") {
  std::map<std::string, std::shared_ptr<const Secret>> secrets;
  for (const char* name : {"a", "b", "c"})
    secrets[name] = std::make_shared<const Secret>(std::string("sk-") + name);
  const auto back = unpack_secrets(pack_secrets(secrets)).value();
  REQUIRE(back.size() == 3);
  CHECK(back[2].first == "c");
  CHECK(back[2].second == Secret("sk-c"));
  CHECK(unpack_secrets(Secret("")).value().empty());
  CHECK(unpack_secrets(Secret("a\nsk-a\nb")).error().code == ErrorCode::corrupt);
}
