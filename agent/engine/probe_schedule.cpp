#include "engine/probe_schedule.hpp"

namespace keyherd::engine {

void ProbeSchedule::set(const std::string& key, SteadyTime due) {
  remove(key);
  times_.emplace(key, due);
  queue_.emplace(due, key);
}

void ProbeSchedule::remove(const std::string& key) {
  const auto found = times_.find(key);
  if (found == times_.end())
    return;
  queue_.erase({found->second, key});
  times_.erase(found);
}

std::optional<std::pair<std::string, SteadyTime>> ProbeSchedule::take_due(SteadyTime now) {
  if (queue_.empty() || queue_.begin()->first > now)
    return std::nullopt;
  const auto [due, key] = *queue_.begin();
  remove(key);
  return std::pair{key, due};
}

std::optional<SteadyTime> ProbeSchedule::next_due() const {
  if (queue_.empty())
    return std::nullopt;
  return queue_.begin()->first;
}

}  // namespace keyherd::engine
