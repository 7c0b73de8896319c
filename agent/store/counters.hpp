#pragma once

// The structs of totals as named counters, so that a name in the store survives any change of a
// struct or an enum, and a new counter needs no new column. For the SQLite store alone.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "store/store.hpp"

namespace keyherd::store {

using FailureCounts = std::array<std::int64_t, model::kUsageFailureCount>;
using CounterVisitor = std::function<void(std::string_view name, std::int64_t& value)>;

// Calls `visit` for every counter of the struct, always in the same order.
void visit_counters(FailureCounts& counts, const CounterVisitor& visit);
void visit_counters(model::SuspectCounts& counts, const CounterVisitor& visit);
void visit_counters(model::SourceCounts& counts, const CounterVisitor& visit);
void visit_counters(model::ProbeTotals& totals, const CounterVisitor& visit);
void visit_counters(PoolTotals& totals, const CounterVisitor& visit);

}  // namespace keyherd::store
