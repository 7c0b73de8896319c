#include "store/sqlite_retention.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "store/rules.hpp"
#include "store/sqlite_codec.hpp"

namespace keyherd::store {

namespace {

// From which table usage moves, and into which.
struct Move {
  std::string read;
  std::string erase;
  CountsUpsert add;

  Move(std::string_view from, std::string_view into)
      : read(fmt::format("SELECT bucket, {} FROM {} WHERE series = ? AND bucket < ? "
                         "ORDER BY bucket",
                         count_columns(), from)),
        erase(fmt::format("DELETE FROM {} WHERE series = ? AND bucket <= ?", from)),
        add(into, {"series", "bucket", "width"}) {}
};

const Move& move_into(RollUpInto into) {
  static const Move kHours("usage", "usage_hour");
  static const Move kDays("usage_hour", "usage_day");
  switch (into) {
    case RollUpInto::hours:
      return kHours;
    case RollUpInto::days:
      return kDays;
  }
  return kDays;
}

struct OldRow {
  std::int64_t bucket;
  model::UsageCounts counts;
};

// The oldest `limit` rows, and what else begins where the last of them does: those that are moved
// are deleted by their beginning.
Result<std::vector<OldRow>> old_rows(Connection& connection, const Move& move, std::int64_t series,
                                     std::int64_t end, std::size_t limit) {
  KH_ASSIGN(Statement * rows, connection.prepared(move.read));
  rows->bind(series, end);
  std::vector<OldRow> old;
  for (;;) {
    KH_ASSIGN(const bool row, rows->next());
    if (!row)
      return old;
    if (old.size() >= limit && old.back().bucket != rows->integer(0)) {
      rows->reset();
      return old;
    }
    old.push_back({rows->integer(0), read_counts(*rows, 1)});
  }
}

// One write a span, not one a row.
Status add_spans(Connection& connection, const Move& move, std::int64_t series,
                 const std::vector<OldRow>& old, const RollUp& plan) {
  KH_ASSIGN(auto spans, move.add.adder(connection));
  BucketSpan span{0, 0};
  model::UsageCounts sum;
  for (const OldRow& row : old) {
    const BucketSpan own = plan.span_of(row.bucket);
    if (span.width != 0 && (own.first != span.first || own.width != span.width)) {
      KH_TRY(spans.add(sum, series, span.first, span.width));
      sum = {};
    }
    span = own;
    sum.add(row.counts);
  }
  return span.width == 0 ? Status() : spans.add(sum, series, span.first, span.width);
}

}  // namespace

Result<bool> roll_up_usage(Connection& connection, const Names& names, const RollUp& plan) {
  const Move& move = move_into(plan.into);
  const std::int64_t end = model::bucket_of(plan.before);
  std::size_t left = std::max<std::size_t>(plan.max_rows, 1);
  for (const Names::Series& series : names.series()) {
    KH_ASSIGN(const auto old, old_rows(connection, move, series.id, end, left));
    if (old.empty())
      continue;
    KH_TRY(add_spans(connection, move, series.id, old, plan));
    KH_ASSIGN(Statement * erase, connection.prepared(move.erase));
    KH_TRY(erase->bind(series.id, old.back().bucket).run());
    if (old.size() >= left)
      return true;
    left -= old.size();
  }
  return false;
}

Status prune_history(Connection& connection, WallTime usage_before, WallTime minutes_before,
                     WallTime evidence_before) {
  const auto erase = [&](std::string_view sql, const auto&... values) -> Status {
    KH_ASSIGN(Statement * statement, connection.prepared(sql));
    return statement->bind(values...).run();
  };
  // By the series: then the primary key finds what is old, and nothing else is looked at.
  const std::int64_t bucket = model::bucket_of(usage_before);
  KH_TRY(erase("DELETE FROM usage WHERE series IN (SELECT id FROM series) AND bucket < ?", bucket));
  KH_TRY(
      erase("DELETE FROM usage_hour WHERE series IN (SELECT id FROM series) "
            "AND bucket < ?1 AND bucket + width <= ?1",
            bucket));
  KH_TRY(
      erase("DELETE FROM usage_day WHERE series IN (SELECT id FROM series) "
            "AND bucket < ?1 AND bucket + width <= ?1",
            bucket));
  KH_TRY(erase("DELETE FROM balance_drop WHERE bucket < ?", bucket));
  KH_TRY(erase("DELETE FROM minute WHERE minute < ?", model::minute_of(minutes_before)));
  KH_TRY(erase("DELETE FROM evidence WHERE at < ?", evidence_before));
  // The last one before then tells the state that the key was in.
  KH_TRY(
      erase("DELETE FROM change WHERE at < (SELECT max(at) FROM change AS later "
            "WHERE later.key = change.key AND later.at < ?)",
            evidence_before));
  // The newest fire of each schedule is the memory of what was handled.
  KH_TRY(
      erase("DELETE FROM fire WHERE scheduled_at < ? AND scheduled_at < "
            "(SELECT max(scheduled_at) FROM fire AS newest WHERE newest.schedule = fire.schedule)",
            evidence_before));
  return erase(
      "DELETE FROM rotation WHERE final = 1 AND started_at < ? AND id NOT IN "
      "(SELECT id FROM rotation ORDER BY started_at DESC, id DESC LIMIT ?)",
      evidence_before, kRecentRotations);
}

}  // namespace keyherd::store
