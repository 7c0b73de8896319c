#pragma once

// Quotas and usage rows for the quota tests, in few words.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time_text.hpp"
#include "quota/ledger.hpp"

namespace keyherd::test {

// "2026-03-08 07:00" in UTC.
inline WallTime utc(std::string_view text) {
  return parse_rfc3339(std::string(text) + ":00Z").value();
}

inline model::Quota quota(model::WindowKind window, std::int64_t limit,
                          std::string timezone = "UTC") {
  model::Quota made;
  made.id = "q";
  made.limit = limit;
  made.window = window;
  made.timezone = std::move(timezone);
  return made;
}

inline model::Quota rolling_quota(std::chrono::minutes length, std::int64_t limit) {
  model::Quota made = quota(model::WindowKind::rolling, limit);
  made.rolling = length;
  return made;
}

// One quota on the key "k".
inline quota::Ledger ledger_of(model::Quota one) {
  std::vector<quota::Assignment> assignments;
  assignments.push_back({std::move(one), "k", {"k"}});
  return quota::Ledger::make(std::move(assignments)).value();
}

inline model::UsageCounts tokens(std::int64_t amount) {
  model::UsageCounts counts;
  counts.requests = 1;
  counts.input = amount;
  return counts;
}

inline model::UsageRow usage(std::string_view at, std::int64_t amount, std::string key = "k") {
  return {std::move(key), "m", model::bucket_of(utc(at)), tokens(amount)};
}

inline model::MinuteRow minute(std::string_view at, std::int64_t amount, std::string key = "k") {
  return {std::move(key), model::minute_of(utc(at)), tokens(amount)};
}

// Plans and adopts at once, as after a successful commit.
inline quota::Change apply(quota::Ledger& ledger, const std::vector<model::UsageRow>& rows,
                           const std::vector<model::MinuteRow>& minutes, std::string_view now) {
  quota::Change change = ledger.plan(rows, minutes, utc(now));
  ledger.adopt(change);
  return change;
}
inline quota::Change apply(quota::Ledger& ledger, const std::vector<model::UsageRow>& rows,
                           std::string_view now) {
  return apply(ledger, rows, {}, now);
}
inline quota::Change seed(quota::Ledger& ledger, const std::vector<model::UsageRow>& rows,
                          const std::vector<model::MinuteRow>& minutes, std::string_view now) {
  quota::Change change = ledger.plan_seed(rows, minutes, utc(now));
  ledger.adopt(change);
  return change;
}

inline model::QuotaStatus status(const quota::Ledger& ledger, std::string_view now,
                                 std::string_view owner = "k") {
  return ledger.status(owner, utc(now)).at(0);
}
inline std::int64_t used(const quota::Ledger& ledger, std::string_view now) {
  return status(ledger, now).used;
}

inline std::vector<std::string> levels(const quota::Change& change) {
  std::vector<std::string> found;
  for (const quota::Crossing& crossing : change.crossings)
    found.emplace_back(crossing.level);
  return found;
}

}  // namespace keyherd::test
