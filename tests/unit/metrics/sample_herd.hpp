#pragma once

// Snapshots for the tests of the exposition.

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "metrics/exposition.hpp"
#include "model/snapshot.hpp"
#include "support/manual_clock.hpp"

namespace keyherd::test {

// An exposition of "keyherd 1.2.3" with its own still clock.
struct Fixture {
  ManualClock clock;
  LogCounts log;
  metrics::Exposition exposition{{"1.2.3", "abc", "gcc 12"}, log, clock};
};

model::KeyView plain_key(const std::string& id, const std::string& provider = "deepseek");
// Every fact that the Snapshot can hold of a key: two quotas, three models, two rate limits, …
model::KeyView full_key(const std::string& id);

void add(model::Snapshot& snapshot, model::KeyView key);
void add(model::Snapshot& snapshot, model::PoolView pool);
void add(model::Snapshot& snapshot, model::ProviderView provider);
void add(model::Snapshot& snapshot, model::SourceView source);

// One plain key, its provider and a pool, with a few facts: the golden text's.
model::Snapshot small_snapshot();
// At least one series in every family.
model::Snapshot full_snapshot();

// The lines of the exposition that are samples, parsed.
struct Sample {
  std::string name;
  std::map<std::string, std::string> labels;  // as escaped
  std::vector<std::string> label_order;
  std::string value;
};
std::vector<Sample> parse(const std::string& text);
// The value of the one series with exactly these labels; fails the test if there is none.
std::string value_of(const std::string& text, const std::string& series);

}  // namespace keyherd::test
