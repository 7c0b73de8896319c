#pragma once

// The fake provider without its server: keys, accounts, faces, what befalls them and what they
// answer. Times are offsets since the start. Safe to use from any thread. Inside this folder only.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "sandbox/bodies.hpp"
#include "sandbox/sandbox.hpp"

namespace keyherd::sandbox {

struct Call {
  std::string_view face;
  CallKind kind = CallKind::models;
  Dialect dialect = Dialect::openai;
  std::string_view path;   // after the face
  std::string_view token;  // as the client sent it, without "Bearer "
  std::string_view body;
  std::string_view model{};  // where the path names it
};

class World {
 public:
  using Offset = std::chrono::nanoseconds;

  // Errors as of Sandbox::start.
  static Result<std::unique_ptr<World>> make(SandboxOptions options);

  Reply serve(const Call& call, Offset now) KH_EXCLUDES(mutex_);

  Status set_key_state(std::string_view id, std::string_view state, std::optional<Offset> lasts,
                       Offset now) KH_EXCLUDES(mutex_);
  Status set_outage(std::string_view face, Outage mode) KH_EXCLUDES(mutex_);
  Status add_key(SandboxKey key) KH_EXCLUDES(mutex_);
  // The face of a key; "" when there is no such key.
  std::string face_of(std::string_view key) KH_EXCLUDES(mutex_);
  SandboxCounts counts() const KH_EXCLUDES(mutex_);
  // For GET /sandbox/state.
  nlohmann::json describe(Offset now) KH_EXCLUDES(mutex_);

 private:
  enum class Standing { good, revoked, disabled };
  struct Account {
    double balance = 0;
    double initial = 0;
    std::string currency;
  };
  struct KeyLife {
    SandboxKey key;
    Account* account = nullptr;
    Standing standing = Standing::good;
    Offset throttled_until{0};
    std::size_t next_event = 0;
    std::map<std::string, std::int64_t> requests;
  };
  struct FaceLife {
    SandboxFace face;
    Outage forced = Outage::none;
  };

  explicit World(SandboxOptions options);
  Status insert(SandboxKey key) KH_REQUIRES(mutex_);
  void live_until(Offset now) KH_REQUIRES(mutex_);
  static void apply(KeyLife& life, const LifeEvent& event);
  static std::string_view state_of(const KeyLife& life, Offset now);
  KeyLife* find_by_token(std::string_view face, std::string_view token) KH_REQUIRES(mutex_);
  KeyLife* find_by_id(std::string_view id) KH_REQUIRES(mutex_);
  static Outage outage_of(const FaceLife& face, std::string_view path, Offset now);
  Reply answer(const Call& call, KeyLife* life, Offset now) KH_REQUIRES(mutex_);
  Reply good_answer(const Call& call, KeyLife* life) KH_REQUIRES(mutex_);
  // `life`: who pays; nobody at an open endpoint.
  Reply chat(const Call& call, KeyLife* life) KH_REQUIRES(mutex_);

  const std::vector<std::string> models_;
  mutable Mutex mutex_;
  SeededRandom random_ KH_GUARDED_BY(mutex_);
  std::map<std::string, FaceLife, std::less<>> faces_ KH_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, Account> accounts_ KH_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<KeyLife>> keys_ KH_GUARDED_BY(mutex_);
  std::int64_t unknown_keys_ KH_GUARDED_BY(mutex_) = 0;
  std::int64_t completions_ KH_GUARDED_BY(mutex_) = 0;
};

}  // namespace keyherd::sandbox
