#pragma once

// The running agent: the loop and the threads around it, wired from a configuration file; reload,
// and a shutdown in order that ends within the configured time whatever hangs.

#include <spdlog/fwd.h>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/environment.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "base/redactor.hpp"
#include "base/result.hpp"
#include "config/load.hpp"
#include "metrics/exposition.hpp"

namespace keyherd::engine {

struct AgentOptions {
  const Environment& environment;
  const FileSystem& files;
  const Clock& clock;
  Redactor& redactor;
  const LogCounts& log_counts;
  spdlog::logger& log;
  metrics::BuildInfo build;
  config::LoadOptions load;
  std::string config_path;
  // A damaged state file is moved aside and a new one begun: only when a person said so.
  bool replace_corrupt_state = false;
};

class Agent {
 public:
  virtual ~Agent() = default;  // stops
  [[nodiscard]] virtual int port() const = 0;
  // Loads the configuration again; the outcome is logged and shown. Any thread; returns at once.
  virtual void reload() = 0;
  // Whether the loop, which everything else depends on, takes up a question within that time. Not
  // from the loop itself.
  [[nodiscard]] virtual bool answers(std::chrono::nanoseconds within) = 0;
  // Ends everything in order. Rotations under way go on at the next start.
  virtual void stop() = 0;
};

// Starts with an already loaded configuration. Errors: conflict (another agent has the state file
// or the port), corrupt (the state file), invalid, denied, unavailable.
Result<std::unique_ptr<Agent>> start_agent(const AgentOptions& options, config::Config config);

}  // namespace keyherd::engine
