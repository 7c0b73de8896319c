#include "store/counters.hpp"

namespace keyherd::store {

namespace {

// One counter per value of an enum whose values count from 0: "<prefix><name of the value>".
template <class Enum, std::size_t N>
void visit_array(std::array<std::int64_t, N>& values, std::string_view prefix,
                 const CounterVisitor& visit) {
  for (std::size_t i = 0; i < N; ++i) {
    std::string name(prefix);
    name += to_string(static_cast<Enum>(i));
    visit(name, values[i]);
  }
}

}  // namespace

void visit_counters(FailureCounts& counts, const CounterVisitor& visit) {
  visit_array<model::UsageFailure>(counts, "", visit);
}

void visit_counters(model::SuspectCounts& counts, const CounterVisitor& visit) {
  visit_array<model::Suspicion>(counts, "", visit);
}

void visit_counters(model::SourceCounts& counts, const CounterVisitor& visit) {
  visit("read_bytes", counts.read_bytes);
  visit("records", counts.records);
  visit_array<model::RejectReason>(counts.rejected, "rejected:", visit);
  visit_array<model::Suspicion>(counts.suspect, "suspect:", visit);
  visit("renames", counts.renames);
  visit("truncations", counts.truncations);
  visit("read_errors", counts.read_errors);
  visit("models_folded", counts.models_folded);
  visit("future", counts.future);
  visit("late", counts.late);
  visit("lost_bytes", counts.lost_bytes);
  visit("conflicts", counts.conflicts);
  visit("skipped", counts.skipped);
}

void visit_counters(model::ProbeTotals& totals, const CounterVisitor& visit) {
  visit_array<model::ProbeKind>(totals.probes, "probes:", visit);
  visit_array<model::Verdict>(totals.failures, "failures:", visit);
  visit("input_tokens", totals.input_tokens);
  visit("output_tokens", totals.output_tokens);
  visit("cost", totals.cost);
  visit("paid_at", totals.paid_at);
}

void visit_counters(PoolTotals& totals, const CounterVisitor& visit) {
  visit_array<model::RotationTrigger>(totals.rotations, "rotations:", visit);
  visit_array<model::RotationFailure>(totals.failures, "failures:", visit);
  visit("schedule_runs", totals.schedule_runs);
  visit("schedule_failures", totals.schedule_failures);
  visit("schedule_missed", totals.schedule_missed);
}

}  // namespace keyherd::store
