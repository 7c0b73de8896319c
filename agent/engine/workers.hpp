#pragma once

// The agent's threads behind Effects: probe workers, step runners, the store writer and the tailer,
// each with a bounded queue. What they find out is posted to the loop.

#include <spdlog/fwd.h>
#include <functional>
#include <memory>
#include <vector>

#include "audit/journal.hpp"
#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/redactor.hpp"
#include "engine/deliveries.hpp"
#include "engine/effects.hpp"
#include "engine/engine.hpp"
#include "engine/tail_thread.hpp"

namespace keyherd::engine {

struct WorkerOptions {
  const FileSystem& files;
  const Clock& clock;
  Redactor& redactor;  // learns what issuers make
  spdlog::logger& log;
  int probe_workers = 8;  // at most; started as they are needed
  usage::SeenIds::Limits request_ids;
  // Gives an event to the loop, waiting for room; false when stopped first.
  std::function<bool(Event, const std::stop_token&)> post;
  std::function<void()> notify_readers;
  // An issuer's own secret; may block.
  std::function<Result<Secret>(const model::SecretRef&, const std::stop_token&)> resolve;
  std::unique_ptr<net::Transport> transport;  // null: HTTP
};

class WorkerThreads : public Effects {
 public:
  // The same as Effects::with_store, for any thread; false when the queue is full.
  virtual bool try_with_store(std::function<void(store::Store&)> job) = 0;
  // The same on the audit log; also false when none is kept.
  virtual bool try_with_audit(std::function<void(audit::Journal&)> job) = 0;
  // Any thread; false: too many lines wait for the store already.
  virtual bool deliver(Delivery delivery) = 0;
  // No new evidence from here on: probes, hooks and the tailer end.
  virtual void stop_sources() = 0;
  // Then the store and the audit log: what was handed in is still done.
  virtual void stop() = 0;
};

// `audit` may be null: then none is kept.
std::unique_ptr<WorkerThreads> start_worker_threads(WorkerOptions options,
                                                    std::unique_ptr<store::Store> store,
                                                    std::unique_ptr<audit::Journal> audit,
                                                    Tailed tailed);

}  // namespace keyherd::engine
