#include "base/secret.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <string.h>

#include <utility>

namespace keyherd {

namespace {
const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
constexpr std::size_t kFingerprintBytes = 6;
}  // namespace

Secret::Secret(std::string value) : value_(std::move(value)) {
  // A short string lives inside the moved-from object too; ours is the only copy that may remain.
  explicit_bzero(value.data(), value.size());
}

Secret::~Secret() {
  wipe();
}

Secret::Secret(Secret&& other) noexcept : value_(other.value_) {
  other.wipe();
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe();
    value_ = other.value_;
    other.wipe();
  }
  return *this;
}

Secret Secret::clone() const {
  return Secret(std::string(value_));
}

void Secret::wipe() noexcept {
  if (!value_.empty())
    explicit_bzero(value_.data(), value_.size());
  value_.clear();
}

bool operator==(const Secret& a, const Secret& b) {
  return a.value_.size() == b.value_.size() &&
         CRYPTO_memcmp(a.value_.data(), b.value_.data(), a.value_.size()) == 0;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  const std::string digest_a = sha256(a);
  const std::string digest_b = sha256(b);
  return CRYPTO_memcmp(digest_a.data(), digest_b.data(), digest_a.size()) == 0;
}

std::string sha256(std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(bytes_of(bytes), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::string to_hex(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    hex += kDigits[value >> 4U];
    hex += kDigits[value & 15U];
  }
  return hex;
}

std::string hmac_sha256(std::string_view key, std::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(bytes), bytes.size(),
       reinterpret_cast<unsigned char*>(digest.data()), &size);
  return digest;
}

std::string fingerprint(const Secret& secret, std::string_view installation_key) {
  const std::string digest = hmac_sha256(installation_key, secret.reveal());
  return to_hex(std::string_view(digest).substr(0, kFingerprintBytes));
}

std::string log_alias(const Secret& secret) {
  return to_hex(std::string_view(sha256(secret.reveal())).substr(0, kFingerprintBytes));
}

}  // namespace keyherd
