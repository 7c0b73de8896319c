#include "store/sqlite_history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "store/sqlite_codec.hpp"

namespace keyherd::store {

namespace {

constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
constexpr WallTime kEndOfTime = WallTime::max();

// Half-open range of buckets or minutes: the one that `from` lies in, up to those that start before
// `to`.
struct Range {
  std::int64_t first = std::numeric_limits<std::int64_t>::min();
  std::int64_t last = kForever;  // exclusive
};

template <class NumberOf>
Range range_of(const UsageQuery& query, NumberOf number_of) {
  Range range;
  if (query.from)
    range.first = number_of(*query.from);
  if (query.to)
    range.last = number_of(*query.to - std::chrono::nanoseconds(1)) + 1;
  return range;
}

std::int64_t limit_of(std::size_t limit) {
  return static_cast<std::int64_t>(std::min(limit, static_cast<std::size_t>(kForever)));
}

struct NamedSeries {
  std::string key;
  std::string model;
  std::int64_t id;
};

// The series of the asked keys, by (key, model).
Result<std::vector<NamedSeries>> wanted_series(const Names& names, const UsageQuery& query) {
  const std::set<std::string> keys(query.keys.begin(), query.keys.end());
  std::vector<NamedSeries> wanted;
  for (const auto& series : names.series()) {
    KH_ASSIGN(std::string key, names.name(series.key));
    if (!keys.empty() && !keys.contains(key))
      continue;
    KH_ASSIGN(std::string model, names.name(series.model));
    wanted.push_back(NamedSeries{std::move(key), std::move(model), series.id});
  }
  std::sort(wanted.begin(), wanted.end(), [](const NamedSeries& a, const NamedSeries& b) {
    return std::tie(a.key, a.model) < std::tie(b.key, b.model);
  });
  return wanted;
}

// The asked keys, sorted, with their numbers; all that have rows when none are asked for.
Result<std::vector<std::pair<std::string, std::int64_t>>> wanted_keys(Connection& connection,
                                                                      const Names& names,
                                                                      const UsageQuery& query,
                                                                      const char* all_keys) {
  std::vector<std::pair<std::string, std::int64_t>> wanted;
  for (const std::string& key : query.keys) {
    if (const auto id = names.find(key))
      wanted.emplace_back(key, *id);
  }
  if (query.keys.empty()) {
    KH_ASSIGN(Statement * rows, connection.prepared(all_keys));
    rows->bind();
    for (;;) {
      KH_ASSIGN(const bool row, rows->next());
      if (!row)
        break;
      KH_ASSIGN(std::string key, names.name(rows->integer(0)));
      wanted.emplace_back(std::move(key), rows->integer(0));
    }
  }
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return wanted;
}

Result<model::Evidence> evidence_row(const Statement& row, const std::string& key) {
  model::Evidence e;
  e.key = key;
  e.at = row.time(0);
  KH_ASSIGN(e.source, decode_name(model::evidence_source_from_string(row.text(1)),
                                  "evidence.source", row.text(1)));
  KH_ASSIGN(e.verdict,
            decode_name(model::verdict_from_string(row.text(2)), "evidence.verdict", row.text(2)));
  e.count = row.integer(3);
  e.message = row.text(4);
  e.retry_at = row.optional_time(5);
  if (!row.is_null(6)) {
    KH_ASSIGN(e.probe, decode_name(model::probe_kind_from_string(row.text(6)), "evidence.probe",
                                   row.text(6)));
  }
  e.http_status = static_cast<int>(row.integer(7));
  e.latency = std::chrono::nanoseconds(row.integer(8));
  e.input_tokens = row.integer(9);
  e.output_tokens = row.integer(10);
  e.cost = row.integer(11);
  if (!row.is_null(12)) {
    KH_ASSIGN(e.balances, decode_balances(row.text(12)));
  }
  if (!row.is_null(13)) {
    KH_ASSIGN(e.rate_limits, decode_rate_limits(row.text(13)));
  }
  return e;
}

Result<model::StateChange> change_row(const Statement& row, const std::string& key) {
  model::StateChange change;
  change.key = key;
  change.at = row.time(0);
  KH_ASSIGN(change.from, decode_name(model::key_state_from_string(row.text(1)), "change.from_state",
                                     row.text(1)));
  KH_ASSIGN(change.to,
            decode_name(model::key_state_from_string(row.text(2)), "change.to_state", row.text(2)));
  KH_ASSIGN(change.verdict,
            decode_name(model::verdict_from_string(row.text(3)), "change.verdict", row.text(3)));
  change.why = row.text(4);
  return change;
}

Result<model::Rotation> rotation_row(const Statement& row) {
  model::Rotation r;
  r.id = row.text(0);
  r.pool = row.text(1);
  r.from = row.text(2);
  r.to = row.text(3);
  r.generation = row.integer(4);
  KH_ASSIGN(r.trigger, decode_name(model::rotation_trigger_from_string(row.text(5)),
                                   "rotation.trigger", row.text(5)));
  KH_ASSIGN(r.state, decode_name(model::rotation_state_from_string(row.text(6)), "rotation.state",
                                 row.text(6)));
  r.reason = row.text(7);
  r.actor = row.text(8);
  KH_ASSIGN(r.steps, decode_steps(row.text(9)));
  r.started_at = row.time(10);
  r.updated_at = row.time(11);
  KH_ASSIGN(r.mode, decode_name(model::rotation_mode_from_string(row.text(12)), "rotation.mode",
                                row.text(12)));
  r.credential = row.text(13);
  return r;
}

// All rows of a bound statement; `make` turns the current row into a value or an error.
template <class Value, class Make>
Result<std::vector<Value>> collect(Statement& rows, Make make) {
  std::vector<Value> values;
  for (;;) {
    KH_ASSIGN(const bool row, rows.next());
    if (!row)
      return values;
    Result<Value> value = make(rows);
    if (!value) {
      rows.reset();
      return fail(std::move(value).error());
    }
    values.push_back(std::move(*value));
  }
}

#define KH_EVIDENCE_COLUMNS                                                             \
  "SELECT at, source, verdict, count, message, retry_at, probe, http_status, latency, " \
  "input_tokens, output_tokens, cost, balances, rate_limits FROM evidence "

#define KH_ROTATION_COLUMNS                                                               \
  "SELECT id, pool, from_key, to_key, generation, trigger, state, reason, actor, steps, " \
  "started_at, updated_at, mode, credential FROM rotation "

}  // namespace

Status read_usage(Connection& connection, const Names& names, const UsageQuery& query,
                  const UsageVisitor& visit) {
  // A span may be among the hours and among the days, after a change of zone: one row to outside.
  static const std::string kSql = fmt::format(
      "SELECT bucket, 1 AS width, {0} FROM usage"
      " WHERE series = ?1 AND bucket >= ?2 AND bucket < ?3 "
      "UNION ALL SELECT bucket, width, {0} FROM usage_hour"
      " WHERE series = ?1 AND bucket >= ?2 AND bucket < ?3 "
      "UNION ALL SELECT bucket, width, {0} FROM usage_day"
      " WHERE series = ?1 AND bucket >= ?2 AND bucket < ?3 ORDER BY 1, 2",
      count_columns());
  const Range range = range_of(query, model::bucket_of);
  KH_ASSIGN(const std::vector<NamedSeries> wanted, wanted_series(names, query));
  KH_ASSIGN(Statement * rows, connection.prepared(kSql));
  for (const NamedSeries& series : wanted) {
    rows->bind(series.id, range.first, range.last);
    model::UsageRow row{series.key, series.model, 0, {}, 0};  // width 0: none yet
    for (;;) {
      KH_ASSIGN(const bool more, rows->next());
      const bool same = more && row.width == rows->integer(1) && row.bucket == rows->integer(0);
      if (same) {
        row.counts.add(read_counts(*rows, 2));
        continue;
      }
      if (row.width != 0) {
        if (Status told = visit(row); !told) {
          rows->reset();
          return told;
        }
      }
      if (!more)
        break;
      row.bucket = rows->integer(0);
      row.width = static_cast<std::int32_t>(rows->integer(1));
      row.counts = read_counts(*rows, 2);
    }
  }
  return {};
}

Result<std::vector<model::MinuteRow>> read_minutes(Connection& connection, const Names& names,
                                                   const UsageQuery& query) {
  static const std::string kSql = "SELECT minute, " + count_columns() +
                                  " FROM minute WHERE key = ? AND minute >= ? AND minute < ? "
                                  "ORDER BY minute";
  const Range range = range_of(query, model::minute_of);
  KH_ASSIGN(const auto wanted,
            wanted_keys(connection, names, query, "SELECT DISTINCT key FROM minute"));
  KH_ASSIGN(Statement * rows, connection.prepared(kSql));
  std::vector<model::MinuteRow> minutes;
  for (const auto& [key, id] : wanted) {
    rows->bind(id, range.first, range.last);
    for (;;) {
      KH_ASSIGN(const bool row, rows->next());
      if (!row)
        break;
      minutes.push_back(model::MinuteRow{key, rows->integer(0), read_counts(*rows, 1)});
    }
  }
  return minutes;
}

Result<std::vector<model::BalanceDrop>> read_balance_drops(Connection& connection,
                                                           const Names& names,
                                                           const UsageQuery& query) {
  const Range range = range_of(query, model::bucket_of);
  KH_ASSIGN(const auto wanted,
            wanted_keys(connection, names, query, "SELECT DISTINCT key FROM balance_drop"));
  KH_ASSIGN(Statement * rows,
            connection.prepared("SELECT currency, bucket, nanos, probe_cost, since "
                                "FROM balance_drop WHERE key = ? AND bucket >= ? AND bucket < ? "
                                "ORDER BY currency, bucket"));
  std::vector<model::BalanceDrop> drops;
  for (const auto& [key, id] : wanted) {
    rows->bind(id, range.first, range.last);
    for (;;) {
      KH_ASSIGN(const bool row, rows->next());
      if (!row)
        break;
      drops.push_back(model::BalanceDrop{key, rows->text(0), rows->integer(1), rows->integer(2),
                                         rows->integer(3), rows->time(4)});
    }
  }
  return drops;
}

Result<std::vector<model::Evidence>> read_evidence(Connection& connection, const Names& names,
                                                   const HistoryQuery& query) {
  const auto id = names.find(query.key);
  if (!id)
    return std::vector<model::Evidence>{};
  KH_ASSIGN(Statement * rows,
            connection.prepared(KH_EVIDENCE_COLUMNS
                                "WHERE key = ? AND at <= ? ORDER BY at DESC, id DESC LIMIT ?"));
  rows->bind(*id, query.until.value_or(kEndOfTime), limit_of(query.limit));
  return collect<model::Evidence>(
      *rows, [&](const Statement& row) { return evidence_row(row, query.key); });
}

Result<std::vector<model::Evidence>> read_recent_evidence(Connection& connection,
                                                          const Names& names,
                                                          const std::string& key) {
  const auto id = names.find(key);
  if (!id)
    return std::vector<model::Evidence>{};
  KH_ASSIGN(
      Statement * rows,
      connection.prepared(
          KH_EVIDENCE_COLUMNS
          "WHERE id IN (SELECT id FROM (SELECT id FROM evidence WHERE key = ?1 "
          "ORDER BY at DESC, id DESC LIMIT ?2)) OR id IN (SELECT id FROM (SELECT id FROM "
          "evidence WHERE key = ?1 AND probe IS NOT NULL ORDER BY at DESC, id DESC LIMIT ?3)) "
          "ORDER BY at DESC, id DESC"));
  rows->bind(*id, kRecentPerKey, kRecentProbesPerKey);
  return collect<model::Evidence>(*rows,
                                  [&](const Statement& row) { return evidence_row(row, key); });
}

Result<std::vector<model::StateChange>> read_changes(Connection& connection, const Names& names,
                                                     const HistoryQuery& query) {
  const auto id = names.find(query.key);
  if (!id)
    return std::vector<model::StateChange>{};
  KH_ASSIGN(Statement * rows,
            connection.prepared("SELECT at, from_state, to_state, verdict, why FROM change "
                                "WHERE key = ? AND at <= ? ORDER BY at DESC, id DESC LIMIT ?"));
  rows->bind(*id, query.until.value_or(kEndOfTime), limit_of(query.limit));
  return collect<model::StateChange>(
      *rows, [&](const Statement& row) { return change_row(row, query.key); });
}

Result<std::vector<model::Rotation>> read_rotations(Connection& connection, const std::string& pool,
                                                    std::size_t limit) {
  if (pool.empty()) {
    KH_ASSIGN(Statement * all,
              connection.prepared(KH_ROTATION_COLUMNS "ORDER BY started_at DESC, id DESC LIMIT ?"));
    all->bind(limit_of(limit));
    return collect<model::Rotation>(*all, rotation_row);
  }
  KH_ASSIGN(Statement * rows,
            connection.prepared(KH_ROTATION_COLUMNS
                                "WHERE pool = ? ORDER BY started_at DESC, id DESC LIMIT ?"));
  rows->bind(pool, limit_of(limit));
  return collect<model::Rotation>(*rows, rotation_row);
}

Result<std::vector<model::Rotation>> read_needed_rotations(Connection& connection) {
  KH_ASSIGN(Statement * rows,
            connection.prepared(KH_ROTATION_COLUMNS
                                "WHERE final = 0 OR started_at > (SELECT max(started_at) FROM "
                                "rotation) - ? ORDER BY started_at DESC, id DESC"));
  rows->bind(std::chrono::nanoseconds(kRecentTime).count());
  return collect<model::Rotation>(*rows, rotation_row);
}

}  // namespace keyherd::store
