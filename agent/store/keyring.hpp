#pragma once

// The agent's own store of secrets: each sealed (XChaCha20-Poly1305) under a master key that is
// never in the state file, with the entry's id bound in, so that a box that was moved to another id
// does not open. Unsealed values live in Secret and nowhere else.

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace keyherd::store {

// As it is stored. Nothing in it is secret.
struct SealedSecret {
  std::string id;         // "keyring:ID"
  std::string master_id;  // which master key sealed it: 16 hex digits
  std::string nonce;      // hex
  std::string box;        // hex: ciphertext and tag
  WallTime sealed_at;
  friend bool operator==(const SealedSecret&, const SealedSecret&) = default;
};

class MasterKey {
 public:
  // 32 bytes as 64 hex digits. Error invalid: anything else, with how to make one.
  static Result<MasterKey> parse(const Secret& text);

  // Tells master keys apart without telling anything about them.
  [[nodiscard]] const std::string& id() const { return id_; }

  [[nodiscard]] SealedSecret seal(std::string_view entry, const Secret& secret, WallTime now) const;
  // Errors: denied (sealed by another master key), corrupt (altered, or moved from another id).
  [[nodiscard]] Result<Secret> unseal(const SealedSecret& sealed) const;

 private:
  MasterKey(Secret bytes, std::string id) : bytes_(std::move(bytes)), id_(std::move(id)) {}
  Secret bytes_;
  std::string id_;
};

// The entries of one state file, open under one master key. What is put is in the store only once
// the caller has committed the SealedSecret. Safe to use from any thread.
class Keyring {
 public:
  Keyring(MasterKey master, std::map<std::string, SealedSecret> entries);

  SealedSecret put(const std::string& id, const Secret& secret, WallTime now) KH_EXCLUDES(mutex_);
  void drop(const std::string& id) KH_EXCLUDES(mutex_);
  // Errors: not_found, and those of MasterKey::unseal.
  [[nodiscard]] Result<Secret> get(const std::string& id) const KH_EXCLUDES(mutex_);
  [[nodiscard]] bool has(const std::string& id) const KH_EXCLUDES(mutex_);

 private:
  const MasterKey master_;
  mutable Mutex mutex_;
  std::map<std::string, SealedSecret> entries_ KH_GUARDED_BY(mutex_);
};

// Every entry sealed anew, or none: the first that does not open is the error.
Result<std::vector<SealedSecret>> reseal(const std::map<std::string, SealedSecret>& entries,
                                         const MasterKey& from, const MasterKey& to, WallTime now);

}  // namespace keyherd::store
