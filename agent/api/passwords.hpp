#pragma once

// Passwords of people and programs that cannot send tokens (HTTP Basic, RFC 7617), kept as bcrypt
// hashes. Users are immutable once built and swapped whole at a reload; the cache is shared by all
// threads.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "api/principal.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"

namespace keyherd::api {

// Of a header "Basic …"; nothing if it is malformed.
struct Credentials {
  std::string user;
  std::string password;
};
std::optional<Credentials> parse_basic(std::string_view authorization);

class Users {
 public:
  // hash: as check_bcrypt of base/bcrypt.hpp wants it.
  void add(std::string hash, Principal principal);
  [[nodiscard]] bool empty() const { return users_.empty(); }

  struct User {
    std::string hash;
    Principal principal;
  };
  [[nodiscard]] const User* find(std::string_view name) const;
  // A hash that no password has, as costly as the costliest one here: checking it makes a name that
  // is not there take as long as a wrong password.
  [[nodiscard]] const std::string& decoy() const { return decoy_; }

 private:
  std::map<std::string, User, std::less<>> users_;
  std::string decoy_;
};

// Which passwords were good, so that each scrape does not cost a tenth of a second. It knows them
// by an HMAC under a key that lives as long as this process; a changed hash is another entry.
class KnownPasswords {
 public:
  KnownPasswords();
  [[nodiscard]] bool contains(const Credentials& credentials, const std::string& hash) const
      KH_EXCLUDES(mutex_);
  void add(const Credentials& credentials, const std::string& hash) KH_EXCLUDES(mutex_);

 private:
  [[nodiscard]] std::string digest(const Credentials& credentials, const std::string& hash) const;

  const std::string key_;
  mutable Mutex mutex_;
  std::map<std::string, std::uint64_t> added_ KH_GUARDED_BY(mutex_);  // digest → when it was added
  std::uint64_t count_ KH_GUARDED_BY(mutex_) = 0;
};

}  // namespace keyherd::api
