#pragma once

// What may be asked of the usage history: summed by which columns, of which keys, when, and in
// whose days. The words are those of GET /api/v1/usage and of `keyherd usage`. Pure functions.

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace keyherd::api {

enum class UsageColumn { key, provider, pool, group, model, label, hour, day, month };

// A column, as the question wrote it: "model", or "label.team" for the keys' label `team`.
struct UsageTerm {
  UsageColumn column = UsageColumn::key;
  std::string label;  // of UsageColumn::label
  std::string text;

  [[nodiscard]] bool is_time() const { return column >= UsageColumn::hour; }
};

// Error: invalid, naming what is possible.
Result<UsageTerm> parse_usage_term(std::string_view text);
// Comma-separated; at least one, none twice.
Result<std::vector<UsageTerm>> parse_usage_terms(std::string_view text);

// Only usage whose column has one of the values. Of a key in several pools one must fit.
struct UsageFilter {
  UsageTerm term;  // not of time
  std::set<std::string> values;
};
// `values`: comma-separated. Error: invalid.
Result<UsageFilter> parse_usage_filter(std::string_view term, std::string_view values);

struct UsageQuestion {
  std::vector<UsageTerm> by;
  std::vector<UsageFilter> where;
  std::optional<WallTime> from;
  std::optional<WallTime> to;  // exclusive
  std::string timezone = "UTC";
};

// RFC 3339, a date or a month (its beginning in that zone), or how long ago: "7d". Error: invalid.
Result<WallTime> parse_usage_time(std::string_view text, const std::string& zone, WallTime now);
// Error invalid unless it is an IANA zone.
Status check_timezone(const std::string& zone);

}  // namespace keyherd::api
