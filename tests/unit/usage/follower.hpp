#pragma once

// An agent's worth of bookkeeping around a Tailer: commits or refuses batches, remembers cursors,
// can be stopped and started, and adds up what was counted.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time_text.hpp"
#include "support/manual_clock.hpp"
#include "usage/tailer.hpp"

namespace keyherd::test {

// A line worth n input tokens, unlike every line with another n.
inline std::string line(int n, const std::string& key = "k1") {
  return R"({"ts":"2026-05-01T00:00:00Z","key":")" + key + R"(","model":"m","input_tokens":)" +
         std::to_string(n) + R"(,"output_tokens":1})" + "\n";
}
inline std::string lines(int first, int last, const std::string& key = "k1") {
  std::string text;
  for (int n = first; n <= last; ++n)
    text += line(n, key);
  return text;
}
inline std::int64_t sum_of(int first, int last) {
  std::int64_t sum = 0;
  for (int n = first; n <= last; ++n)
    sum += n;
  return sum;
}

inline std::shared_ptr<model::UsageContext> two_keys() {
  auto context = std::make_shared<model::UsageContext>();
  context->keys["k1"] = {"k1", "p", false};
  context->keys["k2"] = {"k2", "p", true};
  context->keys["sha256:0123456789ab"] = {"k2", "p", true};
  context->prices["p"]["m"] = {1'000'000'000, 100'000'000, 2'000'000'000, 4'000'000'000};
  return context;
}

inline model::UsageLog log_at(const std::string& path, const std::string& id = "gateway") {
  model::UsageLog log;
  log.id = id;
  log.path = path;
  return log;
}

class Follower {
 public:
  Follower(const FileSystem& files, std::vector<model::UsageLog> logs,
           usage::TailerOptions options = {})
      : files_(files), logs_(std::move(logs)), options_(options) {
    start();
  }

  void start() {
    std::vector<model::FileCursor> cursors;
    for (const auto& [id, cursor] : store)
      cursors.push_back(cursor);
    tailer = std::make_unique<usage::Tailer>(files_, logs_, cursors, options_);
    tailer->restore_seen(seen);
    tailer->set_context(context);
  }
  // What was not committed is forgotten, as by a kill.
  void restart() {
    tailer.reset();
    start();
  }

  // By a reload, or by a restart with another configuration.
  void configure(std::vector<model::UsageLog> logs, bool restarts) {
    logs_ = std::move(logs);
    if (restarts)
      restart();
    else
      tailer->set_logs(logs_);
  }

  // One look; commits what it gave. Returns the tallies.
  std::vector<model::Tally> poll() {
    clock.advance(std::chrono::seconds(1));
    auto tallies = tailer->poll(clock.now());
    for (const model::Tally& tally : tallies)
      commit(tally);
    return tallies;
  }
  // Looks until there is nothing more to say.
  void drain() {
    for (int i = 0; i < 1000; ++i) {
      bool any = false;
      for (const auto& tally : poll())
        any = any || tally.batch != 0;
      if (!any && !tailer->has_more())
        return;
    }
    throw std::runtime_error("the tailer never comes to rest");
  }
  void wait(std::chrono::seconds time) {
    for (auto passed = std::chrono::seconds(0); passed < time; passed += std::chrono::seconds(10)) {
      clock.advance(std::chrono::seconds(9));
      poll();
    }
    drain();
  }
  void commit(const model::Tally& tally) {
    status[tally.source] = tally.status;
    notes.insert(notes.end(), tally.notes.begin(), tally.notes.end());
    if (tally.batch == 0)
      return;
    for (const auto& cursor : tally.cursors)
      store[{cursor.source, cursor.id}] = cursor;
    for (const auto id : tally.dropped_cursors)
      store.erase({tally.source, id});
    for (const auto& block : tally.seen)
      seen.push_back(*block);
    std::erase_if(seen, [&](const auto& block) { return block.epoch < tally.seen_from; });
    for (const auto& row : tally.usage)
      by_key[row.key].add(row.counts);
    counts.add(tally.counts);
    samples.insert(samples.end(), tally.samples.begin(), tally.samples.end());
    tailer->committed(tally.source, tally.batch);
  }

  [[nodiscard]] std::int64_t tokens(const std::string& key = "k1") const {
    const auto found = by_key.find(key);
    return found == by_key.end() ? 0 : found->second.input;
  }
  [[nodiscard]] std::int64_t rejected(model::RejectReason reason) const {
    return counts.rejected[static_cast<std::size_t>(reason)];
  }

  ManualClock clock;
  std::shared_ptr<const model::UsageContext> context = two_keys();
  std::unique_ptr<usage::Tailer> tailer;
  std::map<std::pair<std::string, std::int64_t>, model::FileCursor> store;
  std::vector<model::SeenBlock> seen;
  std::map<std::string, model::UsageCounts> by_key;
  std::map<std::string, model::SourceStatus> status;
  model::SourceCounts counts;
  std::vector<std::string> samples;
  std::vector<std::string> notes;

 private:
  const FileSystem& files_;
  std::vector<model::UsageLog> logs_;
  usage::TailerOptions options_;
};

}  // namespace keyherd::test
