#pragma once

// One key's belief: what a piece of evidence counts for, and which state follows. Knows nothing of
// other keys. For the health folder alone.

#include <optional>
#include <string>

#include "health/record.hpp"

namespace keyherd::health {

// The state that follows from the evidence, and why, in one sentence.
struct Move {
  model::KeyState to = model::KeyState::unknown;
  std::string why;
};

// Log lines and reports that are more than 10 minutes old, or surely older than what is known
// since, are history: they change nothing.
bool is_relevant(const Record& record, const model::Evidence& evidence, const Moment& moment);

// Counts the evidence: successes, failures, strikes, trouble. No state changes here.
void count(Record& record, const model::Evidence& evidence, const Moment& moment);

// Whether the strikes condemn the key, were it not for an incident.
bool is_condemned(const Record& record);

// The state after the counted evidence; nothing if it stays. Starts cool-downs. `frozen`: the
// provider has an incident, nothing bad is concluded.
std::optional<Move> judge(Record& record, const model::Evidence& evidence, const Moment& moment,
                          bool frozen);

// What happens when the cool-down has ended; nothing: the state stays and a probe must tell.
std::optional<Move> after_cooldown(const Record& record);

// Whether log lines of this class were no more than the successes that came with them: then they
// are a client's affair, or old news, and a probe decides.
bool is_outvoted(const Record& record, const model::Evidence& evidence, const Moment& moment);

}  // namespace keyherd::health
