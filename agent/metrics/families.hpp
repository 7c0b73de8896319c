#pragma once

// The sections of the exposition that come from a Snapshot, in the catalogue's order.

#include "metrics/herd.hpp"
#include "metrics/text_writer.hpp"

namespace keyherd::metrics {

void write_keys(TextWriter& out, const Herd& herd);
void write_probes(TextWriter& out, const Herd& herd);
void write_quotas(TextWriter& out, const Herd& herd);
void write_usage(TextWriter& out, const Herd& herd);
void write_limits(TextWriter& out, const Herd& herd);
void write_pools(TextWriter& out, const model::Snapshot& snapshot);
void write_usage_logs(TextWriter& out, const model::Snapshot& snapshot);
void write_agent(TextWriter& out, const Herd& herd);

}  // namespace keyherd::metrics
