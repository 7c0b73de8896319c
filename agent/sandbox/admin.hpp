#pragma once

// The administration APIs of the fake provider, without their server: who makes and ends keys, as
// OpenRouter, LiteLLM, OpenAI, xAI, new-api, Azure and Anthropic document it. What is made works at
// the face's other endpoints at once, or after the time that it takes to settle. Safe to use from
// any thread. Inside this folder only.

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "sandbox/world.hpp"

namespace keyherd::sandbox {

struct IssuedKey {
  std::string remote_id;
  std::string name;
  std::string key;  // its id in the world
  std::string secret;
  int number = 0;
};

class Admin {
 public:
  // `world` outlives this. Faces without an admin_secret have no administration.
  Admin(World& world, const std::vector<SandboxFace>& faces);

  [[nodiscard]] bool admits(const std::string& face, std::string_view token) const;

  Result<IssuedKey> make(const std::string& face, const std::string& name, World::Offset now)
      KH_EXCLUDES(mutex_);
  // The live ones, oldest first.
  [[nodiscard]] std::vector<IssuedKey> list(const std::string& face) const KH_EXCLUDES(mutex_);
  // Error not_found: there is none of that id (any more).
  Status end(const std::string& face, std::string_view remote_id, World::Offset now)
      KH_EXCLUDES(mutex_);
  // Azure: what the two slots have; made when they are first asked for. `renew`: "key1" or "key2"
  // gets another secret, or "" none does.
  Result<std::pair<std::string, std::string>> slots(const std::string& face,
                                                    const std::string& renew, World::Offset now)
      KH_EXCLUDES(mutex_);
  // Anthropic: of a key of the scenario.
  Status set_active(const std::string& key, bool active, World::Offset now);

  void set_plan(const std::string& face, const AdminPlan& plan) KH_EXCLUDES(mutex_);
  // The fault of the next call of this kind, which uses it up.
  AdminFault take_fault(const std::string& face, bool makes) KH_EXCLUDES(mutex_);
  [[nodiscard]] AdminCounts counts(const std::string& face) const KH_EXCLUDES(mutex_);
  [[nodiscard]] nlohmann::json describe() const KH_EXCLUDES(mutex_);

 private:
  struct Office {
    std::string secret;
    AdminPlan plan;
    AdminCounts counts;
    std::vector<IssuedKey> issued;  // live ones
    std::string slot1, slot2;       // remote ids
  };
  Result<IssuedKey> issue(const std::string& face, Office& office, const std::string& name,
                          World::Offset now) KH_REQUIRES(mutex_);
  Status withdraw(Office& office, std::string_view remote_id, World::Offset now)
      KH_REQUIRES(mutex_);

  World& world_;
  mutable Mutex mutex_;
  std::map<std::string, Office> offices_ KH_GUARDED_BY(mutex_);
  int made_ KH_GUARDED_BY(mutex_) = 0;
};

// One call of an administration API.
struct AdminCall {
  Admin& admin;
  std::string face;
  std::vector<std::string> captures;
  std::map<std::string, std::string> query;
  std::string body;
  World::Offset now;
};

enum class AdminKind { read, make, end };

struct AdminEndpoint {
  std::string_view method;
  std::string_view path;
  AdminKind kind;
  Reply (*answer)(const AdminCall& call);
};
const std::vector<AdminEndpoint>& admin_endpoints();

}  // namespace keyherd::sandbox
