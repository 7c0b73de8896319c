#pragma once

// The last net under every output: replaces each known secret, in the forms in which it could come
// back from a provider or a library, by "[redacted]". The first net is the Secret type.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.hpp"
#include "base/secret.hpp"

namespace keyherd {

// Safe to use from any thread. Secrets shorter than 8 characters are not searched for: they would
// match ordinary text.
class Redactor {
 public:
  Redactor();
  ~Redactor();
  Redactor(const Redactor&) = delete;
  Redactor& operator=(const Redactor&) = delete;

  // Remembers a secret: raw, JSON-escaped, percent-encoded, hex, base64 and base64url in all three
  // alignments. A secret once known stays known: a retired key must not leak either.
  void add(const Secret& secret);

  // text with every known form, and everything that looks like a provider's key or a bearer token
  // (sk-…, AIza…, gsk_…, xai-…, "Bearer …"), replaced.
  [[nodiscard]] std::string redact(std::string_view text) const;

 private:
  struct Forms;
  mutable Mutex mutex_;
  std::unique_ptr<Forms> forms_ KH_GUARDED_BY(mutex_);
};

}  // namespace keyherd
