#pragma once

// Whether failures are the key's or its provider's: looks at all keys of one provider. For the
// health folder alone.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "health/kinship.hpp"
#include "health/record.hpp"

namespace keyherd::health {

class ProviderWatch {
 public:
  explicit ProviderWatch(std::string provider) : provider_(std::move(provider)) {}

  // The keys of the provider; records live elsewhere and longer.
  void set_keys(std::vector<Record*> keys);
  [[nodiscard]] const std::vector<Record*>& keys() const { return keys_; }

  // After the evidence was counted in the record: the incident that it ends, or begins, or both
  // (one kind of failure giving way to another).
  std::vector<IncidentChange> observe(Record& record, const model::Evidence& evidence,
                                      const Moment& moment);
  // Ends an incident of which nothing was heard for its window, or whose provider has no keys left.
  std::optional<IncidentChange> tick(Instant now);
  [[nodiscard]] std::optional<SteadyTime> deadline() const;

  [[nodiscard]] const std::optional<Incident>& incident() const { return incident_; }
  // The record's trouble is no more.
  void forget(const Record& record) { troubled_.erase(record.facts.id); }
  // The keys whose failures the incident is made of, by id.
  [[nodiscard]] std::vector<Record*> troubled() const;
  // A healthy key of which nothing was heard since the record's trouble began: its probe tells
  // whether everybody is refused. Rather of another limit group; null when there is none, or when
  // somebody was served since.
  [[nodiscard]] Record* witness_for(const Record& record) const;
  Kinship& kinship() { return kinship_; }

 private:
  struct Voices {
    int keys = 0;      // that fail alike, nobody having succeeded since
    int distinct = 0;  // the same, with those that share a limit that shows in all of them as one
  };
  [[nodiscard]] Voices voices_like(const Record& record, Instant now) const;
  // Counts no further than needed: a little more than `enough`.
  [[nodiscard]] int recently_observed(const Record& record, Instant now, int enough) const;
  [[nodiscard]] std::optional<std::string> suspicion(const Record& record, Instant now) const;
  std::optional<std::string> relief(const Record& record, const model::Evidence& evidence,
                                    const Moment& moment) const;
  IncidentChange close(std::string why, Instant now);

  std::string provider_;
  std::vector<Record*> keys_;
  std::map<std::string, Record*> troubled_;  // by key id
  std::optional<SteadyTime> last_success_;
  Kinship kinship_;
  std::optional<Incident> incident_;
  SteadyTime incident_since_;
  SteadyTime incident_heard_;
  std::chrono::nanoseconds incident_window_{0};
};

}  // namespace keyherd::health
