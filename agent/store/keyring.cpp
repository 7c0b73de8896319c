#include "store/keyring.hpp"

#include <sodium.h>

#include <array>
#include <cstring>
#include <optional>

#include "base/random.hpp"

namespace keyherd::store {

namespace {

constexpr std::size_t kKeyBytes = crypto_aead_xchacha20poly1305_ietf_KEYBYTES;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kMasterIdBytes = 8;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

std::optional<std::string> from_hex(std::string_view text) {
  std::string raw(text.size() / 2, '\0');
  std::size_t length = 0;
  const char* end = nullptr;
  if (text.size() % 2 != 0 ||
      sodium_hex2bin(bytes(raw), raw.size(), text.data(), text.size(), nullptr, &length, &end) !=
          0 ||
      end != text.data() + text.size())
    return std::nullopt;
  return raw;
}

// The purpose and the entry's id: a box opens only as what it was sealed for.
std::string bound_to(std::string_view entry) {
  return "keyherd keyring 1\n" + std::string(entry);
}

}  // namespace

Result<MasterKey> MasterKey::parse(const Secret& text) {
  // Chooses the fastest implementation; safe to call again, and from several threads.
  if (sodium_init() < 0)
    return fail(ErrorCode::internal, "libsodium cannot be initialised");
  auto raw = from_hex(text.reveal());
  if (!raw || raw->size() != kKeyBytes) {
    return fail(ErrorCode::invalid,
                "agent.master_key is not 64 hex digits (32 bytes); make one with: openssl rand "
                "-hex 32");
  }
  Secret key(std::move(*raw));
  constexpr std::string_view kPurpose = "keyherd master key id";
  std::string id = to_hex(hmac_sha256(key.reveal(), kPurpose).substr(0, kMasterIdBytes));
  return MasterKey(std::move(key), std::move(id));
}

SealedSecret MasterKey::seal(std::string_view entry, const Secret& secret, WallTime now) const {
  const std::string nonce = random_bytes(kNonceBytes);
  const std::string bound = bound_to(entry);
  const std::string_view plain = secret.reveal();
  std::string box(plain.size() + kTagBytes, '\0');
  unsigned long long length = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(bytes(box), &length, bytes(plain), plain.size(),
                                             bytes(bound), bound.size(), nullptr, bytes(nonce),
                                             bytes(bytes_.reveal()));
  return {std::string(entry), id_, to_hex(nonce), to_hex(box), now};
}

Result<Secret> MasterKey::unseal(const SealedSecret& sealed) const {
  const std::string doing = "opening keyring:" + sealed.id;
  if (sealed.master_id != id_) {
    return fail(ErrorCode::denied, doing + ": it was sealed by another master key (" +
                                       sealed.master_id + ", this one is " + id_ +
                                       "); point agent.master_key at that one");
  }
  const auto nonce = from_hex(sealed.nonce);
  const auto box = from_hex(sealed.box);
  const std::string bound = bound_to(sealed.id);
  if (!nonce || nonce->size() != kNonceBytes || !box || box->size() < kTagBytes)
    return fail(ErrorCode::corrupt, doing + ": the entry is damaged; import the secret again");
  std::string plain(box->size() - kTagBytes, '\0');
  unsigned long long length = 0;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(bytes(plain), &length, nullptr, bytes(*box),
                                                 box->size(), bytes(bound), bound.size(),
                                                 bytes(*nonce), bytes(bytes_.reveal())) != 0) {
    return fail(ErrorCode::corrupt, doing +
                                        ": the entry was altered, or belongs to another id; import "
                                        "the secret again");
  }
  return Secret(std::move(plain));
}

Keyring::Keyring(MasterKey master, std::map<std::string, SealedSecret> entries)
    : master_(std::move(master)), entries_(std::move(entries)) {}

SealedSecret Keyring::put(const std::string& id, const Secret& secret, WallTime now) {
  SealedSecret sealed = master_.seal(id, secret, now);
  MutexLock lock(mutex_);
  entries_[id] = sealed;
  return sealed;
}

void Keyring::drop(const std::string& id) {
  MutexLock lock(mutex_);
  entries_.erase(id);
}

Result<Secret> Keyring::get(const std::string& id) const {
  MutexLock lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end())
    return fail(ErrorCode::not_found, "the keyring has no entry '" + id +
                                          "'; put one in with: keyherd keyring set " + id);
  return master_.unseal(found->second);
}

bool Keyring::has(const std::string& id) const {
  MutexLock lock(mutex_);
  return entries_.contains(id);
}

Result<std::vector<SealedSecret>> reseal(const std::map<std::string, SealedSecret>& entries,
                                         const MasterKey& from, const MasterKey& to, WallTime now) {
  std::vector<SealedSecret> sealed;
  for (const auto& [id, entry] : entries) {
    KH_ASSIGN(const Secret secret, from.unseal(entry));
    sealed.push_back(to.seal(id, secret, now));
  }
  return sealed;
}

}  // namespace keyherd::store
