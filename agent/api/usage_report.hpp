#pragma once

// Usage rows summed into the lines that a question asks for, and the lines as JSON and CSV. What
// the agent's API and the offline command share. Money is exact to the nano everywhere.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/usage_question.hpp"
#include "model/usage.hpp"

namespace keyherd::api {

// What a key is filed under.
struct KeyFacts {
  std::string provider;
  std::string group;               // limit group; the key's own id where it is alone
  std::vector<std::string> pools;  // sorted
  std::map<std::string, std::string> labels;
};
// Nothing for a key that is not configured (any more): all but its id is then empty.
using KeyFactsOf = std::function<std::optional<KeyFacts>(const std::string& key)>;

// One line: the values of the question's columns, in its order, and the sums. A key that is in
// several pools has them joined, "batch+prod", so that no count stands in two lines.
struct UsageLine {
  std::vector<std::string> values;
  model::UsageCounts counts;
};

class UsageReport {
 public:
  // Beyond so many lines add() says too_large.
  static constexpr std::size_t kMaxLines = 200'000;

  // The question's time zone must exist.
  UsageReport(UsageQuestion question, KeyFactsOf facts, std::size_t max_lines = kMaxLines);
  ~UsageReport();
  UsageReport(UsageReport&&) noexcept;
  UsageReport& operator=(UsageReport&&) noexcept;

  // Rows in any order; fastest when those of one key and model come together. Rows that the
  // question does not ask for are left out.
  Status add(const model::UsageRow& row);
  // Sorted by the columns, times by time.
  [[nodiscard]] std::vector<UsageLine> lines() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

model::UsageCounts total_of(const std::vector<UsageLine>& lines);

// The counts as scripts see them, by name; money apart, since it is nano-USD here and USD there.
struct UsageField {
  std::string_view name;
  std::int64_t model::UsageCounts::*count;
};
const std::vector<UsageField>& usage_fields();
const std::vector<UsageField>& usage_money_fields();

// "[{"key":…,"requests":…,"cost_usd":…},…]", cost_usd in its exact decimal digits.
std::string usage_json(const std::vector<UsageLine>& lines, const std::vector<UsageTerm>& by);
// With a line of names; quoted as RFC 4180 says, lines end with a newline.
std::string usage_csv(const std::vector<UsageLine>& lines, const std::vector<UsageTerm>& by);

}  // namespace keyherd::api
