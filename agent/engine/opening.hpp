#pragma once

// What the agent opens first: its state and its audit log.

#include <memory>
#include <optional>
#include <string>

#include "audit/journal.hpp"
#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "store/store.hpp"

namespace keyherd::engine {

struct OpenState {
  std::unique_ptr<store::Store> store;
  store::State state;
  std::string
      installation_key;  // of this installation's fingerprints: made once, kept in the store
};

struct StateParts {
  const FileSystem& files;
  const Clock& clock;
  bool replace_corrupt;  // put it aside and begin anew, instead of failing
  spdlog::logger& log;
};

// Errors: denied (others could replace the file), corrupt, unavailable (another process has it) and
// those of the disk.
Result<OpenState> open_state(const config::AgentSettings& agent, const StateParts& parts);

struct OpenAudit {
  std::unique_ptr<audit::Journal> journal;  // null: none is kept
  std::optional<audit::Appended> checked;   // what its end looked like; nothing: none is kept
};

// A log that cannot be opened stops nobody: what it misses is written when it can be.
OpenAudit open_audit(const config::AgentSettings& agent, const store::State& state,
                     const FileSystem& files, spdlog::logger& log);

}  // namespace keyherd::engine
