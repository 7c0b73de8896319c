#pragma once

// Secrets on their way to another installation: sealed (XChaCha20-Poly1305) under a key that
// Argon2id makes of a passphrase. Slow and memory-hungry on purpose: a guess costs as much.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"

namespace keyherd::store {

// Nothing in it is secret. The limits are libsodium's: passes over the memory, and bytes of it.
struct PassphraseBox {
  std::uint64_t passes = 0;
  std::uint64_t memory = 0;
  std::string salt;   // hex
  std::string nonce;  // hex
  std::string box;    // hex: ciphertext and tag
};

inline constexpr std::size_t kShortestPassphrase = 12;

// Error invalid: the passphrase is shorter than that.
Result<PassphraseBox> seal_with_passphrase(const Secret& passphrase, const Secret& content);
// Errors: denied (another passphrase, or altered), invalid (no box, or one that would cost more
// than a gigabyte of memory).
Result<Secret> open_with_passphrase(const Secret& passphrase, const PassphraseBox& box);

// Many secrets by name as one, and back. Names and secrets have no line breaks. Error corrupt.
Secret pack_secrets(const std::map<std::string, std::shared_ptr<const Secret>>& secrets);
Result<std::vector<std::pair<std::string, Secret>>> unpack_secrets(const Secret& packed);

}  // namespace keyherd::store
