#pragma once

// Usage as the log told it, summed up per batch: never an object per line.

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "model/money.hpp"
#include "model/provider.hpp"

namespace keyherd::model {

// Sums saturate; see money.hpp.
struct UsageCounts {
  std::int64_t requests = 0;  // all lines, failed ones included
  std::int64_t failed = 0;
  std::int64_t input = 0;  // all prompt tokens, cached ones included
  std::int64_t cached_input = 0;
  std::int64_t cache_write = 0;
  std::int64_t output = 0;  // reasoning included
  std::int64_t reasoning = 0;
  NanoUsd cost = 0;             // logged by the gateway, else by the price table
  std::int64_t unpriced = 0;    // successful requests without a known price
  std::int64_t latency_ms = 0;  // sum over lines that had one
  std::int64_t latency_count = 0;
  NanoUsd table_cost = 0;  // by the price table, of all lines with a known price

  void add(const UsageCounts& other);
  friend bool operator==(const UsageCounts&, const UsageCounts&) = default;
};

// What 1,000 successful requests cost, failed ones paid along; nothing without a successful one.
std::optional<NanoUsd> cost_per_thousand(const UsageCounts& counts);

// History is kept in buckets of a quarter of an hour: every time zone's days begin on one.
inline constexpr std::chrono::minutes kBucketWidth{15};
// Quarter hours (minutes) since the epoch, rounded down.
std::int64_t bucket_of(WallTime time);
WallTime bucket_start(std::int64_t bucket);
std::int64_t minute_of(WallTime time);

struct UsageRow {
  std::string key;
  std::string model;  // bounded by the tailer: "other" beyond the cap
  std::int64_t bucket = 0;
  UsageCounts counts;
  std::int32_t width = 1;  // in buckets, from `bucket` on: more than one once it was rolled up
};

// The same per minute and without a model, only for keys that have a quota on a window that needs
// it (minute, rolling).
struct MinuteRow {
  std::string key;
  std::int64_t minute = 0;
  UsageCounts counts;
};

// Failed lines of one key by HTTP status: passive evidence.
struct StatusRow {
  std::string key;
  int http_status = 0;
  std::int64_t count = 0;
  WallTime last_at;  // by the lines' own time
};

// The last successful line of a key: evidence that it works.
struct SuccessRow {
  std::string key;
  std::int64_t count = 0;
  WallTime last_at;
};

// Label `reason` of keyherd_usagelog_records_rejected_total.
enum class RejectReason {
  bad_json,
  missing_field,
  unknown_key,
  bad_value,
  too_long,
  duplicate,
  clock
};
inline constexpr std::size_t kRejectReasonCount = 7;
std::string_view to_string(RejectReason reason);

// Why a line that was counted is not to be trusted.
enum class Suspicion {
  missing_usage,  // a success without tokens
  cumulative,     // totals that only grow, where a request's own tokens belong
  clock,          // its time lay ahead of ours, and it counts at receipt
  unknown_model,  // none named, too many names, or not in the price table of its provider
};
inline constexpr std::size_t kSuspicionCount = 4;
std::string_view to_string(Suspicion suspicion);
using SuspectCounts = std::array<std::int64_t, kSuspicionCount>;

// The suspect lines of one key. A line is suspect for at most one reason, the first that applies.
struct SuspectRow {
  std::string key;
  SuspectCounts counts{};
};

struct SourceCounts {
  std::int64_t read_bytes = 0;
  std::int64_t records = 0;  // lines counted as usage
  std::array<std::int64_t, kRejectReasonCount> rejected{};
  SuspectCounts suspect{};  // of the records
  std::int64_t renames = 0;
  std::int64_t truncations = 0;  // and rewrites found by the anchor
  std::int64_t read_errors = 0;
  std::int64_t models_folded = 0;
  std::int64_t future = 0;      // lines accounted at receipt because their time lay ahead
  std::int64_t late = 0;        // lines older than the history that is kept: in the totals alone
  std::int64_t lost_bytes = 0;  // unread, and gone
  std::int64_t conflicts = 0;   // duplicates with other numbers than the line that was counted
  std::int64_t skipped = 0;     // lines of the format that are no request
  void add(const SourceCounts& other);
  friend bool operator==(const SourceCounts&, const SourceCounts&) = default;
};

// How far a file was read, and how to know it again.
struct FileCursor {
  std::string source;
  std::int64_t id = 0;  // unique within the source
  std::string path;     // where it was last seen
  FileId file;
  std::uint32_t head_length = 0;  // fingerprint of the first min(size, 1024) bytes, only ever grown
  std::uint64_t head_hash = 0;
  std::uint64_t offset = 0;         // after the last newline that was dealt with
  std::uint32_t anchor_length = 0;  // hash of the ≤ 256 bytes before the offset
  std::uint64_t anchor_hash = 0;
  bool skipping = false;  // inside an over-long line
  bool finished = false;  // rotated away and drained; kept to recognise copies of it
  WallTime updated_at;
  friend bool operator==(const FileCursor&, const FileCursor&) = default;
};

// Request ids that were counted, packed as usage/seen_ids.hpp does it: kept so that a repetition is
// known after a restart. Those of an epoch are forgotten together.
struct SeenBlock {
  std::int64_t epoch = 0;
  WallTime began;  // the epoch
  WallTime last;   // when the last of them was counted
  std::string ids;
  friend bool operator==(const SeenBlock&, const SeenBlock&) = default;
};
// Of one batch, in pieces, shared by who stores them and by who may have to forget them.
using SeenBlocks = std::vector<std::shared_ptr<const SeenBlock>>;

// What one source looks like now (gauges; not committed).
struct SourceStatus {
  bool up = false;
  std::string problem;  // why not up
  std::uint64_t lag_bytes = 0;
  std::optional<WallTime> last_record_at;  // by the records' own time
  std::optional<WallTime> last_read_at;
  std::size_t files = 0;
};

// One batch: everything that its lines said, and the cursors after them. Committed whole or not at
// all; the tailer reads on only when the engine says that it was.
struct Tally {
  std::string source;
  std::uint64_t batch = 0;                    // echoed in the acknowledgement
  std::vector<FileCursor> cursors;            // changed ones
  std::vector<std::int64_t> dropped_cursors;  // of files long gone
  std::vector<UsageRow> usage;
  std::vector<MinuteRow> minutes;
  std::vector<StatusRow> failures;
  std::vector<SuccessRow> successes;
  std::vector<SuspectRow> suspects;
  SeenBlocks seen;             // the ids of its lines
  std::int64_t seen_from = 0;  // ids of older epochs are forgotten
  SourceCounts counts;         // of this batch
  SourceStatus status;
  std::vector<std::string> samples;          // of rejected lines: reason and place, redacted; ≤ 5
  std::vector<std::string> suspect_samples;  // of suspect lines, likewise
  std::vector<std::string> notes;            // for people, each said once by its source
};

// What a line may say of a request, as mappings name it; started_at only they can say.
inline constexpr std::array<std::string_view, 13> kUsageFields{"ts",
                                                               "key",
                                                               "model",
                                                               "input_tokens",
                                                               "output_tokens",
                                                               "cached_input_tokens",
                                                               "cache_write_tokens",
                                                               "reasoning_tokens",
                                                               "status",
                                                               "latency_ms",
                                                               "request_id",
                                                               "cost_usd",
                                                               "started_at"};

// A usage log as configured.
struct UsageLog {
  std::string id;
  std::string path;                // may be a glob
  std::string format = "keyherd";  // empty: `fields` alone
  // Own mapping, in place of the format's: canonical field → where it stands, in what unit.
  std::map<std::string, std::string> fields;
  std::map<std::string, std::string> units;
  std::map<std::string, std::int64_t> status_words;  // what the log says → HTTP status
  std::map<std::string, std::string> only;           // JSON Pointer → values of lines that count
  std::map<std::string, std::string> key_names;      // what the log calls a key → its id
  bool start_at_end = false;                         // at the very first start only
  std::optional<std::chrono::nanoseconds> idle_after;  // silence worth an alert
  std::uint64_t lag_threshold_bytes = 64ULL << 20U;
  std::uint32_t max_line_bytes = 1U << 20U;
  bool dedup = true;     // a request id counts once
  bool read_gz = false;  // generations that rotation compressed, too
};

// What clients report of single requests counts as lines of a log of this name. It has no files,
// and no configured log may be called so.
inline constexpr std::string_view kReportsLog = "reports";
UsageLog make_reports_log();

// How to attribute and price lines: built by the engine from the configuration, immutable, shared
// with the tailer.
struct UsageContext {
  struct KeyEntry {
    std::string id;
    std::string provider;
    bool per_minute = false;  // wants MinuteRows
  };
  std::map<std::string, KeyEntry> keys;  // by every name a log may use: id, "sha256:<12 hex>"
  std::map<std::string, std::map<std::string, ModelPrice>> prices;  // by provider, then model
  std::size_t max_models = 200;  // more distinct names than this are counted as "other"
  // How long history is kept; zero: for ever. Older lines count in the totals alone.
  std::chrono::nanoseconds kept{0};
};

}  // namespace keyherd::model
