#include "store/passphrase.hpp"

#include <sodium.h>

#include <optional>

#include "base/random.hpp"

namespace keyherd::store {

namespace {

// Of libsodium's profiles the middle one: 256 MiB, most of a second.
constexpr std::uint64_t kPasses = crypto_pwhash_OPSLIMIT_MODERATE;
constexpr std::uint64_t kMemory = crypto_pwhash_MEMLIMIT_MODERATE;
constexpr std::uint64_t kMostMemory = 1ULL << 30U;
constexpr std::uint64_t kMostPasses = 16;
constexpr std::size_t kBoxKeyBytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr std::size_t kBoxNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kBoxTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::string_view kPurpose = "keyherd export 1";

unsigned char* raw(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}
const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::optional<std::string> unhex(std::string_view text) {
  std::string bytes(text.size() / 2, '\0');
  std::size_t length = 0;
  if (text.size() % 2 != 0 ||
      sodium_hex2bin(raw(bytes), bytes.size(), text.data(), text.size(), nullptr, &length,
                     nullptr) != 0 ||
      length != bytes.size())
    return std::nullopt;
  return bytes;
}

Result<Secret> key_of(const Secret& passphrase, std::string_view salt, std::uint64_t passes,
                      std::uint64_t memory) {
  if (sodium_init() < 0)
    return fail(ErrorCode::internal, "libsodium cannot be initialised");
  std::string key(kBoxKeyBytes, '\0');
  if (crypto_pwhash(raw(key), key.size(), passphrase.reveal().data(), passphrase.size(), raw(salt),
                    passes, memory, crypto_pwhash_ALG_ARGON2ID13) != 0)
    return fail(ErrorCode::unavailable, "there is not enough memory to use the passphrase");
  return Secret(std::move(key));
}

}  // namespace

Result<PassphraseBox> seal_with_passphrase(const Secret& passphrase, const Secret& content) {
  if (passphrase.size() < kShortestPassphrase)
    return fail(ErrorCode::invalid, "the passphrase must have at least 12 characters");
  const std::string salt = random_bytes(crypto_pwhash_SALTBYTES);
  const std::string nonce = random_bytes(kBoxNonceBytes);
  KH_ASSIGN(const Secret key, key_of(passphrase, salt, kPasses, kMemory));
  const std::string_view plain = content.reveal();
  std::string box(plain.size() + kBoxTagBytes, '\0');
  unsigned long long length = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(raw(box), &length, raw(plain), plain.size(),
                                             raw(kPurpose), kPurpose.size(), nullptr, raw(nonce),
                                             raw(key.reveal()));
  return PassphraseBox{kPasses, kMemory, to_hex(salt), to_hex(nonce), to_hex(box)};
}

Result<Secret> open_with_passphrase(const Secret& passphrase, const PassphraseBox& box) {
  const auto salt = unhex(box.salt);
  const auto nonce = unhex(box.nonce);
  const auto sealed = unhex(box.box);
  if (!salt || salt->size() != crypto_pwhash_SALTBYTES || !nonce ||
      nonce->size() != kBoxNonceBytes || !sealed || sealed->size() < kBoxTagBytes ||
      box.memory > kMostMemory || box.memory < crypto_pwhash_MEMLIMIT_MIN ||
      box.passes > kMostPasses || box.passes < crypto_pwhash_OPSLIMIT_MIN)
    return fail(ErrorCode::invalid, "the sealed secrets are not as an export writes them");
  KH_ASSIGN(const Secret key, key_of(passphrase, *salt, box.passes, box.memory));
  std::string plain(sealed->size() - kBoxTagBytes, '\0');
  unsigned long long length = 0;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(raw(plain), &length, nullptr, raw(*sealed),
                                                 sealed->size(), raw(kPurpose), kPurpose.size(),
                                                 raw(*nonce), raw(key.reveal())) != 0)
    return fail(ErrorCode::denied,
                "the sealed secrets do not open: another passphrase, or altered");
  return Secret(std::move(plain));
}

// A line each: name, then secret.
Secret pack_secrets(const std::map<std::string, std::shared_ptr<const Secret>>& secrets) {
  std::string packed;
  std::size_t size = 0;
  for (const auto& [name, secret] : secrets)
    size += name.size() + secret->size() + 2;
  packed.reserve(size);  // so that no copy is left behind
  for (const auto& [name, secret] : secrets)
    packed.append(name).append("\n").append(secret->reveal()).append("\n");
  return Secret(std::move(packed));
}

Result<std::vector<std::pair<std::string, Secret>>> unpack_secrets(const Secret& packed) {
  std::vector<std::pair<std::string, Secret>> secrets;
  std::string_view left = packed.reveal();
  while (!left.empty()) {
    const std::size_t name = left.find('\n');
    const std::size_t end = name == std::string_view::npos ? name : left.find('\n', name + 1);
    if (end == std::string_view::npos)
      return fail(ErrorCode::corrupt, "the sealed secrets are cut off");
    secrets.emplace_back(std::string(left.substr(0, name)),
                         Secret(std::string(left.substr(name + 1, end - name - 1))));
    left.remove_prefix(end + 1);
  }
  return secrets;
}

}  // namespace keyherd::store
