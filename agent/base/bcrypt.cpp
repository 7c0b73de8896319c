#include "base/bcrypt.hpp"

#include <crypt.h>
#include <cstring>

#include <algorithm>
#include <memory>

#include "base/secret.hpp"
#include "base/text.hpp"

namespace keyherd {

namespace {

constexpr std::size_t kPrefix = 7;   // "$2y$12$"
constexpr std::size_t kLength = 60;  // with salt and hash

bool is_salt_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '/';
}

bool has_form(std::string_view hash) {
  return hash.size() == kLength && hash.starts_with("$2") &&
         std::string_view("aby").find(hash[2]) != std::string_view::npos && hash[3] == '$' &&
         parse_int(hash.substr(4, 2)) && hash[6] == '$' &&
         std::all_of(hash.begin() + kPrefix, hash.end(), is_salt_character);
}

// crypt_r's workspace of 32 KiB, which holds parts of the password afterwards.
struct Wiped {
  void operator()(crypt_data* data) const {
    explicit_bzero(data, sizeof(crypt_data));
    delete data;
  }
};

}  // namespace

Status check_bcrypt(std::string_view hash) {
  if (!has_form(hash))
    return fail(ErrorCode::invalid,
                "is no bcrypt hash; make one with: htpasswd -nBC 12 NAME | cut -d: -f2");
  if (const int cost = bcrypt_cost(hash); cost < kLowestBcryptCost || cost > kHighestBcryptCost)
    return fail(ErrorCode::invalid, "has the bcrypt cost " + std::to_string(cost) +
                                        "; expected 10 to 14: make one with: htpasswd -nBC 12 "
                                        "NAME | cut -d: -f2");
  return {};
}

int bcrypt_cost(std::string_view hash) {
  return static_cast<int>(parse_int(hash.substr(4, 2)).value_or(0));
}

std::string bcrypt_decoy(int cost) {
  // The last of these characters has bits that no hash has.
  return "$2y$" + std::to_string(cost) + "$" + std::string(22, '.') + std::string(31, '9');
}

bool matches_bcrypt(const std::string& password, const std::string& hash) {
  const bool possible =
      password.size() <= kLongestPassword && password.find('\0') == std::string::npos;
  const std::unique_ptr<crypt_data, Wiped> data(new crypt_data{});
  const char* made = ::crypt_r(possible ? password.c_str() : "", hash.c_str(), data.get());
  return made != nullptr && equal_constant_time(made, hash) && possible;
}

}  // namespace keyherd
