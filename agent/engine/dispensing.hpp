#pragma once

// The pools whose keys are handed out one a call, as tables for the threads that answer. A pool has
// none until somebody asks; from then on its table follows what is believed of its keys, at the
// price of what changed. Owned by the loop; the tables are immutable.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "engine/key_record.hpp"
#include "engine/published.hpp"
#include "engine/setup.hpp"
#include "rotation/dispenser.hpp"

namespace keyherd::engine {

// What the tables are made from. All outlive them.
struct DispensingParts {
  // The key as a choice sees it; nothing for a key that is not configured.
  std::function<std::optional<rotation::Candidate>(const std::string& key, Instant)> candidate;
  std::function<const KeyRecord*(const std::string& key)> record;
  std::function<std::string(const std::string& pool)> active;
};

class Dispensing {
 public:
  explicit Dispensing(DispensingParts parts) : parts_(std::move(parts)) {}

  void configure(std::shared_ptr<const Setup> setup);
  // The pool's keys are handed out from now on. Unknown pools are ignored.
  void begin(const std::string& pool, Instant now);
  // These pools are made anew, and in the others the members that changed.
  void refresh(const std::set<std::string>& pools, const std::set<std::string>& keys, Instant now);

  [[nodiscard]] const std::shared_ptr<const Dispensers>& tables() const { return tables_; }

 private:
  struct Load {
    std::string fingerprint;
    std::shared_ptr<rotation::KeyLoad> load;
  };
  [[nodiscard]] const model::Pool* find(const std::string& pool) const;
  std::shared_ptr<const rotation::Dispenser> make(const model::Pool& pool, Instant now);
  std::shared_ptr<const rotation::Member> member(const model::Pool& pool, const std::string& key,
                                                 Instant now);
  std::shared_ptr<rotation::KeyLoad> load_of(const KeyRecord& record);
  // Alike for all keys of a provider, whatever each was used for.
  std::optional<model::NanoUsd> price_at(const std::string& provider, WallTime now);

  DispensingParts parts_;
  std::shared_ptr<const Setup> setup_;
  std::shared_ptr<const Dispensers> tables_ = std::make_shared<const Dispensers>();
  std::map<std::string, Load> loads_;  // of keys that were in a table
  // By provider, at the time below: found once for all keys of a table, since time zones are slow.
  std::map<std::string, std::optional<model::NanoUsd>> prices_;
  WallTime priced_at_{};
};

}  // namespace keyherd::engine
