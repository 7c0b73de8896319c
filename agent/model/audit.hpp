#pragma once

// What was decided and done, one entry at a time: rows of the audit log (audit/journal.hpp).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace keyherd::model {

enum class AuditAct {
  started,        // the agent
  stopped,        // in order
  reloaded,       // the configuration was replaced
  not_reloaded,   // it was asked for, and the old one stays
  decided,        // a rotation begins: who wanted it, and why
  refused,        // a rotation that somebody or something wanted: by which guard
  step,           // a rotation reached a state
  failed,         // a step's outside effect did not succeed
  credential,     // a secret at a provider: what becomes of it
  missed,         // firings of a schedule that will not rotate
  paused,         // a key, by hand
  resumed,        // the same
  frozen,         // a pool, by hand
  unfrozen,       // the same
  probed,         // a key, by hand
  keyring,        // an entry was sealed, removed or sealed anew, while the agent did not run
  incident,       // of a provider: it begins
  incident_over,  // the same
  mended,         // the audit log itself: what a crash or somebody else did to it
};
inline constexpr std::size_t kAuditActCount = 19;
std::string_view to_string(AuditAct act);
std::optional<AuditAct> audit_act_from_string(std::string_view name);

struct AuditEntry {
  std::int64_t seq = 0;  // 1, 2, 3 … without a gap
  WallTime at{};
  std::string actor = "agent";  // or "api:operate", "api:operate:alice", "signal"
  AuditAct act = AuditAct::started;
  std::string provider{};  // of these four what the entry is about; empty: nothing
  std::string pool{};
  std::string key{};
  std::string rotation{};
  std::string text{};  // one line, no secrets
};

}  // namespace keyherd::model
