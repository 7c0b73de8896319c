#pragma once

// Every metric family of the agent, in the order of the exposition: the one table that the
// exposition, docs/metrics.md, the rules' tests and the dashboards' tests agree with. Constant,
// safe to use from any thread.

#include <span>
#include <string>
#include <string_view>

namespace keyherd::metrics {

enum class MetricType { gauge, counter, histogram };
std::string_view to_string(MetricType type);

// core: always there (with the thing that it is about). optional: only when the fact is known or
// configured.
enum class Tier { core, optional };
std::string_view to_string(Tier tier);

struct MetricInfo {
  std::string_view section;  // heading in the documentation
  std::string_view name;
  MetricType type;
  std::string_view labels;  // comma-separated, in the order of the exposition; "label_*": any such
  std::string_view unit;    // "seconds", "tokens", …; empty: a plain number
  Tier tier;
  std::string_view help;  // one line, ends with a full stop
};

std::span<const MetricInfo> catalogue();

// The row of a family. Throws std::logic_error for a name that is not in the table.
const MetricInfo& metric(std::string_view name);

// docs/metrics.md.
std::string catalogue_markdown();

}  // namespace keyherd::metrics
