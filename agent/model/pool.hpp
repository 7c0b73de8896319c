#pragma once

// The keys that can replace each other, how one of them is chosen, and to whom it is published.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.hpp"
#include "model/secret_ref.hpp"

namespace keyherd::model {

enum class Strategy { round_robin, priority, quota_aware, least_used, lowest_latency, cheapest };
inline constexpr std::size_t kStrategyCount = 6;
std::string_view to_string(Strategy strategy);
std::optional<Strategy> strategy_from_string(std::string_view name);

// How a pool gets its next key, and what becomes of the last one.
enum class RotationMode {
  switch_,     // among the keys at hand; the last one stays as it is
  provision,   // the next is issued by the provider, the last one revoked
  slot,        // the idle one of two slots is regenerated
  deactivate,  // among spares made beforehand; the last one is set inactive
  command,     // as provision, by the user's own command
  guided,      // among spares; a person revokes the last one, the agent makes sure of it
};
// Whether rotations have new secrets made.
bool makes_secrets(RotationMode mode);
std::string_view to_string(RotationMode mode);  // "switch", "provision", …
std::optional<RotationMode> rotation_mode_from_string(std::string_view name);

// What a published file holds.
enum class FileTemplate {
  json,  // the whole document
  env,   // the same as variables, for `source` and systemd's EnvironmentFile
  raw,   // the secret and nothing else
};
std::string_view to_string(FileTemplate shape);
std::optional<FileTemplate> file_template_from_string(std::string_view name);

struct PublishFile {
  std::string path;
  unsigned mode = 0600;
  FileTemplate shape = FileTemplate::json;
  std::string variable = "KEYHERD_SECRET";  // env: what holds the secret
  std::string owner{};                      // "user", "user:group" or ":group"; empty: the agent's
  friend bool operator==(const PublishFile&, const PublishFile&) = default;
};
struct PublishExec {
  std::vector<std::string> argv;
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);
  friend bool operator==(const PublishExec&, const PublishExec&) = default;
};
struct PublishWebhook {
  std::string url;
  std::optional<SecretRef> signing_secret;
  friend bool operator==(const PublishWebhook&, const PublishWebhook&) = default;
};
using PublishTarget = std::variant<PublishFile, PublishExec, PublishWebhook>;
// "file:/run/keyherd/prod.json", "exec:/usr/local/bin/reload-app", "webhook:https://host": for
// logs.
std::string describe(const PublishTarget& target);

// States of the active key; `dear`: its price is above its lowest, and another key costs less;
// `incident`: its provider has one, and a key at another provider is fit.
enum class RotateOn { dead, exhausted, throttled, degraded, dear, incident };
std::string_view to_string(RotateOn event);
std::optional<RotateOn> rotate_on_from_string(std::string_view name);

// What becomes of a schedule's firing that the agent was not there for.
enum class CatchUp { once, skip };
std::string_view to_string(CatchUp policy);
std::optional<CatchUp> catch_up_from_string(std::string_view name);

// A stretch of time in which nothing is rotated that can wait.
struct FreezeWindow {
  std::string start;  // cron, in the pool's time zone
  std::chrono::nanoseconds lasts{0};
  friend bool operator==(const FreezeWindow&, const FreezeWindow&) = default;
};

// Why a pool is not to be rotated now.
struct Freeze {
  bool by_hand = false;  // then not even an emergency moves the pool; else a window, which lets it
  std::optional<WallTime> until;  // nothing: until somebody ends it
  std::string actor;              // by hand: whose
  std::string reason;             // one line
  friend bool operator==(const Freeze&, const Freeze&) = default;
};

struct Pool {
  std::string id;
  std::vector<std::string> keys;
  Strategy strategy = Strategy::priority;
  std::string schedule;  // cron; empty: only events
  std::string timezone = "UTC";
  // Each firing comes later by a part of this that is always the same for the pool.
  std::chrono::nanoseconds schedule_jitter{0};
  CatchUp catch_up = CatchUp::once;
  std::chrono::nanoseconds catch_up_window = std::chrono::minutes(10);
  std::vector<FreezeWindow> freeze;
  std::vector<RotateOn> rotate_on{RotateOn::dead, RotateOn::exhausted};
  std::vector<PublishTarget> publish;
  std::int64_t min_remaining = 100;  // quota_aware: units left below which a key is no candidate
  double max_error_ratio = 0.05;     // of a key's logged requests in the last 5 minutes
  // Fewer usable keys than this are worth an alert, and nothing of the pool is ended by automation
  // that would leave fewer.
  int min_available = 1;
  double slo_objective = 0.999;
  std::chrono::nanoseconds valid_for = std::chrono::hours(24);   // validity of a published decision
  std::chrono::nanoseconds min_stay = std::chrono::seconds(60);  // between two automatic switches
  int rotations_per_hour = 30;  // automatic ones; emergencies are counted and never refused
  // How long a key that was out of service must have been healthy before the pool returns to it.
  std::chrono::nanoseconds recovery_wait{0};
  // Over how long such a key takes up its full share again.
  std::chrono::nanoseconds ramp{0};
  RotationMode mode = RotationMode::switch_;
  std::string issuer;  // who makes and ends secrets; empty in the modes switch and guided
  // How long both secrets work, at least.
  std::chrono::nanoseconds overlap = std::chrono::hours(1);
  // Nobody has used the last key for so long, say the usage logs, before it is ended.
  std::chrono::nanoseconds quiet_for = std::chrono::minutes(10);
  // A new secret may be refused for so long after it was made.
  std::chrono::nanoseconds settle_within = std::chrono::minutes(15);
  // The usage logs must show requests with the new key within it, while the last one is used; 0:
  // not asked.
  std::chrono::nanoseconds adopt_within{0};
};
bool rotates_on(const Pool& pool, RotateOn event);

// Why a rotation was started: label `trigger` of keyherd_rotations_total.
enum class RotationTrigger {
  schedule,
  invalid_key,
  rate_limited,
  quota,
  balance,
  endpoint,
  recovery,
  manual,
  drill,
  initial,
  tariff
};
inline constexpr std::size_t kRotationTriggerCount = 11;
std::string_view to_string(RotationTrigger trigger);
std::optional<RotationTrigger> rotation_trigger_from_string(std::string_view name);

enum class RotationFailure { no_candidate, preflight, publish, adoption, hook };
inline constexpr std::size_t kRotationFailureCount = 5;
std::string_view to_string(RotationFailure failure);

// The journal's states. `switch` rotations pass planned → verified → published → committed.
enum class RotationState {
  planned,
  minted,
  staged,
  published,
  verified,
  committed,
  retiring,
  retired,
  rolled_back,
  needs_human,
  refused
};
std::string_view to_string(RotationState state);
std::optional<RotationState> rotation_state_from_string(std::string_view name);
// No further step will be taken.
bool is_final(RotationState state);

struct RotationStep {
  RotationState state;
  WallTime at;
  std::string note;
};

struct Rotation {
  std::string id;  // unique, sorts by time
  std::string pool;
  std::string from;  // empty at the first publication
  std::string to;
  std::int64_t generation = 0;  // the pool's generation once committed
  RotationTrigger trigger = RotationTrigger::manual;
  RotationState state = RotationState::planned;
  std::string reason;
  std::string actor;  // "agent", or the token's role for a command
  RotationMode mode = RotationMode::switch_;
  std::string credential;  // the name of the one that it issued; empty: none
  std::vector<RotationStep> steps;
  WallTime started_at;
  WallTime updated_at;
};

// What a pool believes and what must survive a restart.
struct PoolState {
  std::string pool;
  std::string active;  // key id; empty before the first decision
  std::int64_t generation = 0;
  WallTime decided_at;   // of the last (re)publication
  WallTime switched_at;  // of the last change of the active key
  std::string last_rotation;
};

}  // namespace keyherd::model
