#pragma once

// How long a key is left alone, and when it is probed next. For the health folder alone.

#include "health/record.hpp"

namespace keyherd::health {

// A Retry-After of more than 24 h is not about speed.
bool is_longer_than_throttling(const model::Evidence& evidence, Instant now);

// Begins or prolongs the cool-down that the evidence states, or else a computed one.
void start_throttling(Record& record, const model::Evidence& evidence, Instant now);
void start_exhaustion(Record& record, const model::Evidence& evidence, Instant now);
// A wait that the provider asks for with any failure: no probe comes before its end.
void keep_quiet(Record& record, const model::Evidence& evidence, Instant now);
// The key is bad again: how many successes in a row it needs to be trusted.
void note_relapse(Record& record, SteadyTime now);
int successes_needed(const Record& record);
// The cool-down has ended by time, or no longer applies.
void end_cooldown(Record& record, SteadyTime now);

// Without jitter. `frozen`: the provider has an incident. Not for paused keys.
ProbePlan plan_probe(const Record& record, Instant now, bool frozen);

}  // namespace keyherd::health
