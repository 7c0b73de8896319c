#pragma once

// What the loop lets others do. In the agent each is a thread with a bounded queue (agent.cpp);
// under a test they are done at once, in one thread. Outcomes come back as events. Called by the
// loop only; never blocks.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "audit/journal.hpp"
#include "model/issuer.hpp"
#include "model/usage.hpp"
#include "probe/prober.hpp"
#include "rotation/workflow.hpp"
#include "store/store.hpp"

namespace keyherd::engine {

struct ProbeOrder {
  std::uint64_t id = 0;  // comes back in ProbeFinished
  probe::ProbeJob job;
};

// A step of a rotation, with the secrets it needs, so that it outlives a reload.
struct StepOrder {
  rotation::StepRequest request;
  std::shared_ptr<const Secret> secret;  // of request.key; of mint and revoke: what its slot had
  std::map<std::string, std::shared_ptr<const Secret>> signing_secrets;  // by reference text
  // Of mint and revoke. The issuer's own secret is resolved when it is used: many live an hour.
  std::shared_ptr<const model::Issuer> issuer{};
  std::string slot{};
};

inline bool is_issuers(rotation::StepRequest::Kind kind) {
  return kind == rotation::StepRequest::Kind::mint || kind == rotation::StepRequest::Kind::revoke;
}

class Effects {
 public:
  virtual ~Effects() = default;

  // False: every worker is busy and the queue is full; ask again after the next ProbeFinished.
  virtual bool start_probe(ProbeOrder order) = 0;
  virtual void run_step(StepOrder order) = 0;
  // Runs a job on the store, in order; what it finds out it posts as an event.
  virtual void with_store(std::function<void(store::Store&)> job) = 0;
  // The same on the audit log, by a thread of its own; never called when none is kept.
  virtual void with_audit(std::function<void(audit::Journal&)> job) = 0;
  // A tally is committed: its source may be read on.
  virtual void acknowledge(const std::string& source, std::uint64_t batch) = 0;
  // It never will be: its source is no longer configured.
  virtual void refuse(const std::string& source, std::uint64_t batch) = 0;
  virtual void configure_usage(std::vector<model::UsageLog> logs,
                               std::shared_ptr<const model::UsageContext> context) = 0;
  // A new snapshot, or an answer that somebody waits for, is there.
  virtual void notify_readers() = 0;
};

}  // namespace keyherd::engine
