#pragma once

// What happened, as a bounded list that clients follow: the differences between one Snapshot and
// the next. The loop adds to it, anybody reads; a client that comes back goes on where it was, or
// is told that it missed something.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.hpp"
#include "model/snapshot.hpp"

namespace keyherd::api {

struct Event {
  std::uint64_t number = 0;  // from 1, without gaps
  std::string type;          // key, quota, pool, rotation, provider, source, agent
  std::string key;           // what it is about, for those who may not see all; else empty
  std::string pool;
  std::string data;  // JSON, one line
};

// What has changed between two snapshots, in words; numbers are not given yet. Nothing is said of
// what is new in the second, as everything is after a start.
std::vector<Event> changes_between(const model::Snapshot& before, const model::Snapshot& now);

class EventLog {
 public:
  static constexpr std::size_t kMost = 4'096;

  EventLog();

  // One thread, in order.
  void add(std::vector<Event> events) KH_EXCLUDES(mutex_);

  // The number of the newest event; 0 before the first.
  [[nodiscard]] std::uint64_t newest() const KH_EXCLUDES(mutex_);
  // Of an event, for Last-Event-ID: names this run of the agent, too.
  [[nodiscard]] std::string id_of(std::uint64_t number) const;
  // The number in such an id; nothing when it is of another run or none.
  [[nodiscard]] std::optional<std::uint64_t> number_of(std::string_view id) const;

  // Visits the events after that number, oldest first, until the visitor has enough (false). False
  // when some of them are gone already: then none is visited.
  [[nodiscard]] bool visit(std::uint64_t after,
                           const std::function<bool(const Event&)>& visitor) const
      KH_EXCLUDES(mutex_);

 private:
  const std::string run_;
  mutable Mutex mutex_;
  std::deque<Event> events_ KH_GUARDED_BY(mutex_);
  std::uint64_t newest_ KH_GUARDED_BY(mutex_) = 0;
};

}  // namespace keyherd::api
