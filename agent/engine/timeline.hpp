#pragma once

// An incident as it went: probes, states, usage, rotations and decisions of a pool or a key, joined
// by time.

#include <vector>

#include "api/control.hpp"
#include "audit/journal.hpp"
#include "store/store.hpp"

namespace keyherd::engine {

// From the store: probes and log lines (alike ones in a row as one event), states, usage by the
// quarter of an hour, steps of rotations. Errors: those of the store.
Result<std::vector<api::TimelineEvent>> recorded_events(store::Store& store,
                                                        const api::TimelineQuestion& question);
// From the audit log: everything but rotations' steps, which the store tells.
Result<std::vector<api::TimelineEvent>> decided_events(audit::Journal& journal,
                                                       const api::TimelineQuestion& question);
// In order, the newest kMostTimelineEvents.
std::vector<api::TimelineEvent> join(std::vector<api::TimelineEvent> a,
                                     std::vector<api::TimelineEvent> b);

}  // namespace keyherd::engine
