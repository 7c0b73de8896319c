#include "store/keyring.hpp"

#include <catch2/catch.hpp>

#include "store/memory_store.hpp"
#include "support/manual_clock.hpp"

using namespace keyherd;
using store::Keyring;
using store::MasterKey;
using store::SealedSecret;

namespace {

const WallTime kSealedAt = test::ManualClock().now().wall;

MasterKey master(char digit) {
  return MasterKey::parse(Secret(std::string(64, digit))).value();
}

// One digit of a hex text turned into another.
std::string flipped(std::string hex, std::size_t at) {
  hex[at] = hex[at] == '0' ? '1' : '0';
  return hex;
}

}  // namespace

TEST_CASE("what is sealed opens again, and shows nothing of itself") {
  const MasterKey key = master('a');
  const Secret secret("sk-very-secret-0123456789");
  const SealedSecret sealed = key.seal("prod-1", secret, kSealedAt);
  CHECK(key.unseal(sealed).value() == secret);
  CHECK(sealed.box.find("sk-very") == std::string::npos);
  CHECK(sealed.box.find(to_hex("sk-very")) == std::string::npos);
  // Sealing the same twice gives nothing away.
  CHECK(key.seal("prod-1", secret, kSealedAt).box != sealed.box);
}

TEST_CASE("any flipped bit and any other id keep the box shut") {
  const MasterKey key = master('a');
  const SealedSecret sealed = key.seal("prod-1", Secret("sk-very-secret"), kSealedAt);
  for (std::size_t at = 0; at < sealed.box.size(); ++at) {
    SealedSecret altered = sealed;
    altered.box = flipped(sealed.box, at);
    REQUIRE(key.unseal(altered).error().code == ErrorCode::corrupt);
  }
  SealedSecret nonce = sealed;
  nonce.nonce = flipped(sealed.nonce, 3);
  CHECK(key.unseal(nonce).error().code == ErrorCode::corrupt);
  SealedSecret moved = sealed;
  moved.id = "prod-2";
  CHECK(key.unseal(moved).error().code == ErrorCode::corrupt);
  for (const std::string& bad : {std::string(), std::string("zz"), sealed.box + "0"}) {
    SealedSecret damaged = sealed;
    damaged.box = bad;
    CHECK(key.unseal(damaged).error().code == ErrorCode::corrupt);
  }
}

TEST_CASE("another master key is told from damage, by a name that says nothing of it") {
  const SealedSecret sealed = master('a').seal("prod-1", Secret("sk-very-secret"), kSealedAt);
  const auto refused = master('b').unseal(sealed);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::denied);
  CHECK(refused.error().message.find(master('a').id()) != std::string::npos);
  CHECK(master('a').id() != master('b').id());
  CHECK(master('a').id().size() == 16);
}

TEST_CASE("a master key is 64 hex digits and nothing else") {
  for (const std::string& bad : {std::string(), std::string(63, 'a'), std::string(66, 'a'),
                                 std::string(64, 'g'), std::string(62, 'a') + "\n\n"}) {
    const auto parsed = MasterKey::parse(Secret(bad));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().message.find("openssl rand -hex 32") != std::string::npos);
  }
}

TEST_CASE("a keyring keeps, replaces and drops entries") {
  Keyring keyring(master('a'), {});
  CHECK(keyring.get("prod-1").error().code == ErrorCode::not_found);
  keyring.put("prod-1", Secret("sk-first-secret"), kSealedAt);
  const SealedSecret second = keyring.put("prod-1", Secret("sk-second-secret"), kSealedAt);
  CHECK(keyring.get("prod-1").value() == Secret("sk-second-secret"));
  // What it returned is what a next run starts from.
  CHECK(Keyring(master('a'), {{"prod-1", second}}).get("prod-1").value() ==
        Secret("sk-second-secret"));
  keyring.drop("prod-1");
  CHECK_FALSE(keyring.has("prod-1"));
}

TEST_CASE("a change of the master key seals every entry anew, or none") {
  const MasterKey old = master('a');
  std::map<std::string, SealedSecret> entries;
  for (const char* id : {"one", "two", "three"})
    entries[id] = old.seal(id, Secret("sk-secret-of-" + std::string(id)), kSealedAt);
  const auto sealed = store::reseal(entries, old, master('b'), kSealedAt);
  REQUIRE(sealed);
  REQUIRE(sealed->size() == 3);
  for (const SealedSecret& entry : *sealed) {
    CHECK(master('b').unseal(entry).value() == Secret("sk-secret-of-" + entry.id));
    CHECK(old.unseal(entry).error().code == ErrorCode::denied);
  }
  entries["two"].box = flipped(entries["two"].box, 5);
  CHECK(store::reseal(entries, old, master('b'), kSealedAt).error().code == ErrorCode::corrupt);
}
