#pragma once

// Sums lines until the batch is taken. What a line says is attributed and priced here; of rejected
// lines only reason, field and place are kept, never a value.

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "model/usage.hpp"
#include "usage/format.hpp"
#include "usage/growth.hpp"
#include "usage/names.hpp"
#include "usage/seen_ids.hpp"
#include "usage/sum_table.hpp"

namespace keyherd::usage {

// One line. The views point into the line.
struct Record {
  std::int64_t at = 0;  // nanoseconds since the epoch
  std::string_view key;
  std::string_view model;
  std::string_view request_id;  // empty: not said
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t cached_input = 0;
  std::int64_t cache_write = 0;
  std::int64_t reasoning = 0;
  std::int64_t status = 200;
  std::int64_t latency_ms = -1;  // -1: not said
  model::NanoUsd cost = -1;      // -1: not said
};

// In nano-USD, rounded half up; saturates. Cached and written tokens are part of input; more of
// them than input cost as they are, and nothing is taken off.
model::NanoUsd price_of(const Record& record, const model::Price& price);

class Accumulator {
 public:
  static constexpr std::size_t kMaxSamples = 5;

  // `names` outlives the Accumulator.
  explicit Accumulator(Names& names) : names_(names) {}

  // Lines that claim to be from more than five minutes after `now` are accounted at `now`.
  void set_now(WallTime now);
  // The file that the next lines come from, for samples. Outlives the lines.
  void set_file(const std::string& path) {
    sum_pending();
    path_ = &path;
  }
  // From now on a line counts only if its request id is new within `scope`. Outlives the lines.
  void set_seen(SeenIds& seen, std::uint64_t scope) {
    seen_ = &seen;
    scope_ = scope;
  }

  [[nodiscard]] bool knows_key(std::string_view log_name) const {
    return names_.knows_key(log_name);
  }
  void add(const Record& record, std::uint64_t offset);
  void reject(model::RejectReason reason, std::optional<Field> field, std::uint64_t offset);
  // What the reader itself has to say.
  model::SourceCounts& counts() { return counts_; }

  // How many sums there are: what the Tally's size depends on.
  [[nodiscard]] std::size_t rows() const { return usage_.size() + minutes_.size(); }
  // The latest time of a line so far, over all batches.
  [[nodiscard]] std::optional<WallTime> last_record_at() const;
  [[nodiscard]] bool empty() const;
  // Moves the sums into the tally (rows sorted by key, model, bucket) and starts anew.
  void take(model::Tally& tally);

 private:
  struct Priced {
    const model::Price* price = nullptr;
    model::UsageCounts counts;
    std::int64_t last_success = 0;
  };
  struct Last {
    std::int64_t count = 0;
    std::int64_t at = 0;
  };
  // Attributed, not yet summed: the views of its record are not valid any more.
  struct Line {
    std::uint32_t key;
    std::uint32_t model;
    std::int64_t bucket;
    std::uint64_t hash;     // of these three
    std::uint64_t growth;   // as Growth::hash_of
    std::uint64_t request;  // the id's hash; 0: it has none
    std::uint64_t offset;
    bool ahead;   // its time lay ahead of ours
    bool folded;  // its model goes under "other" and is not called so
    Record record;
  };
  static constexpr std::size_t kAhead = 32;
  [[nodiscard]] bool is_new(const Line& line);
  void sum_up(const Line& line);
  void sum_pending();
  // Why the line is not to be trusted, if so.
  std::optional<model::Suspicion> suspicion(const Line& line, bool failed, bool unpriced);
  void suspect(model::Suspicion why, const Line& line);
  void keep_sample(std::vector<std::string>& samples, std::string sample,
                   std::uint64_t offset) const;
  static void note(Last& last, std::int64_t at) {
    ++last.count;
    if (at > last.at)
      last.at = at;
  }
  void take_rows(model::Tally& tally) const;
  void take_evidence(model::Tally& tally) const;

  Names& names_;
  SeenIds* seen_ = nullptr;
  std::uint64_t scope_ = 0;
  const std::string* path_ = nullptr;
  std::int64_t now_ = 0;
  std::int64_t latest_believed_ = 0;
  std::int64_t oldest_kept_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t last_at_ = -1;
  model::SourceCounts counts_;
  std::array<Line, kAhead> pending_;
  std::size_t pending_count_ = 0;
  SumTable<Priced> usage_;                // key, model, bucket
  SumTable<model::UsageCounts> minutes_;  // key, –, minute
  SumTable<Last> failures_;               // key, –, status
  SumTable<std::int64_t> suspects_;       // key, suspicion
  std::vector<std::string> samples_;
  std::vector<std::string> suspect_samples_;
  Growth growth_;
};

}  // namespace keyherd::usage
