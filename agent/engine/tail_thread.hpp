#pragma once

// The tailer's thread: follows the usage logs and posts Tallies; reads a source on only when its
// last batch is committed. The public functions may be called from any thread.

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/mutex.hpp"
#include "engine/deliveries.hpp"
#include "model/usage.hpp"
#include "usage/seen_ids.hpp"
#include "usage/tailer.hpp"
#include "usage/watcher.hpp"

namespace keyherd::engine {

// What an earlier process tailed, as the store has it.
struct Tailed {
  std::vector<model::FileCursor> cursors;
  std::vector<model::SeenBlock> seen;
};

class TailThread {
 public:
  // Gives a tally to the loop, waiting for room; false when stopped first.
  using Post = std::function<bool(model::Tally, const std::stop_token&)>;

  TailThread(const FileSystem& files, const Clock& clock, Tailed tailed,
             usage::SeenIds::Limits request_ids, Post post);
  ~TailThread() { stop(); }
  TailThread(const TailThread&) = delete;
  TailThread& operator=(const TailThread&) = delete;

  // Takes effect once nothing that was read under the old configuration is uncommitted.
  void configure(std::vector<model::UsageLog> logs,
                 std::shared_ptr<const model::UsageContext> context);
  void committed(const std::string& source, std::uint64_t batch);
  // It will not be committed.
  void refused(const std::string& source, std::uint64_t batch);
  // Lines for one of the logs. False: too many wait for the store already.
  bool deliver(Delivery delivery);
  void stop();

 private:
  struct Configuration {
    std::vector<model::UsageLog> logs;
    std::shared_ptr<const model::UsageContext> context;
  };
  struct Answer {
    std::string source;
    std::uint64_t batch;
    bool committed;
  };
  void answer(Answer answer);
  void run(const std::stop_token& stop);
  // Sums up what was delivered; how many batches that gave. Nothing when stopped.
  std::optional<std::size_t> take_deliveries(usage::Tailer& tailer, const std::stop_token& stop);

  const FileSystem& files_;
  const Clock& clock_;
  Tailed tailed_;
  const usage::SeenIds::Limits request_ids_;
  Post post_;
  usage::Watcher watcher_;
  Deliveries deliveries_{{}};
  Mutex mutex_;
  std::optional<Configuration> wanted_ KH_GUARDED_BY(mutex_);
  std::vector<Answer> answers_ KH_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace keyherd::engine
