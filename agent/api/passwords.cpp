#include "api/passwords.hpp"

#include <algorithm>

#include "base/bcrypt.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/text.hpp"

namespace keyherd::api {

namespace {

constexpr std::size_t kMostKnown = 256;

std::optional<unsigned> sextet_of(char c) {
  if (c >= 'A' && c <= 'Z')
    return static_cast<unsigned>(c - 'A');
  if (c >= 'a' && c <= 'z')
    return static_cast<unsigned>(c - 'a') + 26U;
  if (c >= '0' && c <= '9')
    return static_cast<unsigned>(c - '0') + 52U;
  if (c == '+' || c == '/')
    return c == '+' ? 62U : 63U;
  return std::nullopt;
}

// With its padding, as RFC 7617 has it.
std::optional<std::string> from_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0)
    return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : (text.ends_with('=') ? 1 : 0);
  text.remove_suffix(padding);
  std::string bytes;
  unsigned bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const auto sextet = sextet_of(c);
    if (!sextet)
      return std::nullopt;
    held = (held << 6U) | *sextet;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<char>((held >> bits) & 0xFFU));
    }
  }
  return bytes;
}

}  // namespace

std::optional<Credentials> parse_basic(std::string_view authorization) {
  constexpr std::string_view kScheme = "Basic ";
  if (!equals_ignore_case(authorization.substr(0, kScheme.size()), kScheme))
    return std::nullopt;
  const auto text = from_base64(trim(authorization.substr(kScheme.size())));
  if (!text)
    return std::nullopt;
  const auto colon = text->find(':');
  if (colon == std::string::npos)
    return std::nullopt;
  return Credentials{text->substr(0, colon), text->substr(colon + 1)};
}

void Users::add(std::string hash, Principal principal) {
  const int cost = std::max(bcrypt_cost(hash), decoy_.empty() ? 0 : bcrypt_cost(decoy_));
  decoy_ = bcrypt_decoy(cost);
  std::string name = principal.name;
  users_.insert_or_assign(std::move(name), User{std::move(hash), std::move(principal)});
}

const Users::User* Users::find(std::string_view name) const {
  const auto found = users_.find(name);
  return found == users_.end() ? nullptr : &found->second;
}

KnownPasswords::KnownPasswords() : key_(random_bytes(32)) {}

// Each part is hashed for itself: no two different logins become the same text.
std::string KnownPasswords::digest(const Credentials& credentials, const std::string& hash) const {
  return hmac_sha256(key_, sha256(credentials.user) + sha256(credentials.password) + sha256(hash));
}

bool KnownPasswords::contains(const Credentials& credentials, const std::string& hash) const {
  const std::string wanted = digest(credentials, hash);
  MutexLock lock(mutex_);
  return added_.contains(wanted);
}

void KnownPasswords::add(const Credentials& credentials, const std::string& hash) {
  std::string made = digest(credentials, hash);
  MutexLock lock(mutex_);
  if (added_.size() >= kMostKnown) {
    added_.erase(std::min_element(added_.begin(), added_.end(), [](const auto& a, const auto& b) {
      return a.second < b.second;
    }));
  }
  added_.insert_or_assign(std::move(made), ++count_);
}

}  // namespace keyherd::api
