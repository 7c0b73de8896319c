#pragma once

// bcrypt hashes of passwords, as `htpasswd -nBC 12 NAME` and exporter-toolkit's web.yml have them.
// Any thread.

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace keyherd {

// Below the first a stolen hash is guessed too fast, beyond the second a login takes seconds.
inline constexpr int kLowestBcryptCost = 10;
inline constexpr int kHighestBcryptCost = 14;
// All that bcrypt looks at.
inline constexpr std::size_t kLongestPassword = 72;

// "$2y$12$" (or 2a, 2b), 22 characters of salt and 31 of hash, of a cost in that range. The message
// quotes nothing of it.
Status check_bcrypt(std::string_view hash);
// Of a hash that check_bcrypt passes.
int bcrypt_cost(std::string_view hash);
// A hash of that cost that no password has.
std::string bcrypt_decoy(int cost);

// Compares in constant time. Takes 50 ms at a cost of 10, and twice as long for each step more:
// that is what bcrypt is for. False also for passwords that are too long or have a NUL.
bool matches_bcrypt(const std::string& password, const std::string& hash);

}  // namespace keyherd
