#pragma once

// A credential. It cannot be streamed, formatted or copied by accident, compares in constant time
// and is wiped when it goes away. reveal() is called only in net (headers), store (sealing),
// rotation/publishers and api's two routes; a lint test checks that.

#include <cstddef>
#include <string>
#include <string_view>

namespace keyherd {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value);
  ~Secret();
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  // A copy, when one is really wanted.
  [[nodiscard]] Secret clone() const;

  // The value itself. Valid while this object lives.
  [[nodiscard]] std::string_view reveal() const { return value_; }
  [[nodiscard]] bool empty() const { return value_.empty(); }
  [[nodiscard]] std::size_t size() const { return value_.size(); }

  // Constant time in the contents; the lengths may be told apart.
  friend bool operator==(const Secret& a, const Secret& b);

 private:
  void wipe() noexcept;
  std::string value_;
};

// Constant-time comparison through fixed-length digests: not even the length leaks.
bool equal_constant_time(std::string_view a, std::string_view b);

// The only public form of a secret: the first 12 hex digits of HMAC-SHA256 under a key that only
// this installation has, so that nobody outside can confirm a stolen key by it.
std::string fingerprint(const Secret& secret, std::string_view installation_key);

// The first 12 hex digits of the plain SHA-256: what usage logs carry as "sha256:…". Kept in memory
// to match log lines, never shown.
std::string log_alias(const Secret& secret);

// SHA-256 of any bytes, as 32 raw bytes / as lower-case hex.
std::string sha256(std::string_view bytes);
// HMAC-SHA256 (RFC 2104), as 32 raw bytes.
std::string hmac_sha256(std::string_view key, std::string_view bytes);
std::string to_hex(std::string_view bytes);

}  // namespace keyherd
