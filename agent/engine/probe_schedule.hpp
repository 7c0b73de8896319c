#pragma once

// When which key is to be probed next. Owned by the loop; every operation is logarithmic in the
// number of keys.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/clock.hpp"

namespace keyherd::engine {

class ProbeSchedule {
 public:
  // Replaces the key's time.
  void set(const std::string& key, SteadyTime due);
  void remove(const std::string& key);

  // The key whose time has come first, with that time; it is taken out until set() again.
  std::optional<std::pair<std::string, SteadyTime>> take_due(SteadyTime now);
  [[nodiscard]] std::optional<SteadyTime> next_due() const;

 private:
  std::set<std::pair<SteadyTime, std::string>> queue_;
  std::map<std::string, SteadyTime> times_;
};

}  // namespace keyherd::engine
