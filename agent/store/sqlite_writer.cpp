#include "store/sqlite_writer.hpp"

#include <fmt/format.h>

#include "store/counters.hpp"
#include "store/rules.hpp"
#include "store/sqlite_codec.hpp"

namespace keyherd::store {

namespace {

constexpr std::int64_t kSeenRow = 3'900;  // bytes: a page

const CountsUpsert& usage_upsert() {
  static const CountsUpsert kUpsert("usage", {"series", "bucket"});
  return kUpsert;
}
const CountsUpsert& total_upsert() {
  static const CountsUpsert kUpsert("usage_total", {"series"});
  return kUpsert;
}
const CountsUpsert& minute_upsert() {
  static const CountsUpsert kUpsert("minute", {"key", "minute"});
  return kUpsert;
}

class Writer {
 public:
  Writer(Connection& connection, Names& names) : connection_(connection), names_(names) {}

  Status usage(const std::vector<model::UsageRow>& rows);
  Status minutes(const std::vector<model::MinuteRow>& rows);
  Status last_used(const std::map<std::string, WallTime>& times);
  Status cursors(const std::vector<model::FileCursor>& cursors);
  Status dropped_cursors(const std::vector<std::pair<std::string, std::int64_t>>& cursors);
  Status seen(const model::SeenBlocks& blocks, std::int64_t from);
  Status quota_windows(const std::vector<model::QuotaWindow>& windows);
  Status balances(const std::vector<model::BalanceRecord>& balances);
  Status balance_drops(const std::vector<model::BalanceDrop>& drops);
  Status health(const std::vector<model::KeyHealth>& keys);
  Status evidence(const std::vector<model::Evidence>& evidence);
  Status changes(const std::vector<model::StateChange>& changes);
  Status pools(const std::vector<model::PoolState>& pools);
  Status rotations(const std::vector<model::Rotation>& rotations);
  Status fires(const std::vector<ScheduleFire>& fires);
  Status sealed(const Batch& batch);
  Status credentials(const Batch& batch);
  Status settings(const std::map<std::string, std::string>& settings);
  Status audit(const Batch& batch);

  // Adds to (or replaces) the named counters of each owner. Zeros are not stored.
  template <class Counts>
  Status add_counters(std::string_view family, const std::map<std::string, Counts>& owners) {
    KH_ASSIGN(Statement * add,
              connection_.prepared(
                  "INSERT INTO counter (family, owner, name, value) VALUES (?, ?, ?, ?) "
                  "ON CONFLICT DO UPDATE SET value = CASE "
                  "WHEN value > 9223372036854775807 - excluded.value THEN 9223372036854775807 "
                  "ELSE value + excluded.value END"));
    for (const auto& [owner, counts] : owners) {
      KH_ASSIGN(const std::int64_t id, names_.intern(owner));
      Counts copy = counts;
      Status status;
      visit_counters(copy, [&](std::string_view name, std::int64_t& value) {
        if (status && value != 0)
          status = add->bind(family, id, name, value).run();
      });
      KH_TRY(std::move(status));
    }
    return {};
  }

  template <class Counts>
  Status replace_counters(std::string_view family, const std::map<std::string, Counts>& owners) {
    KH_ASSIGN(Statement * clear,
              connection_.prepared("DELETE FROM counter WHERE family = ? AND owner = ?"));
    for (const auto& [owner, counts] : owners) {
      KH_ASSIGN(const std::int64_t id, names_.intern(owner));
      KH_TRY(clear->bind(family, id).run());
    }
    return add_counters(family, owners);
  }

 private:
  Connection& connection_;
  Names& names_;
};

// Rows of one series stand together in a batch, bucket by bucket: its total is written once.
Status Writer::usage(const std::vector<model::UsageRow>& rows) {
  KH_ASSIGN(auto usage, usage_upsert().adder(connection_));
  KH_ASSIGN(auto totals, total_upsert().adder(connection_));
  for (std::size_t i = 0; i < rows.size();) {
    const model::UsageRow& first = rows[i];
    KH_ASSIGN(const std::int64_t series, names_.intern_series(first.key, first.model));
    model::UsageCounts total;
    for (; i < rows.size() && rows[i].key == first.key && rows[i].model == first.model; ++i) {
      total.add(rows[i].counts);
      KH_TRY(usage.add(rows[i].counts, series, rows[i].bucket));
    }
    KH_TRY(totals.add(total, series));
  }
  return {};
}

Status Writer::minutes(const std::vector<model::MinuteRow>& rows) {
  KH_ASSIGN(auto minutes, minute_upsert().adder(connection_));
  for (const auto& row : rows) {
    KH_ASSIGN(const std::int64_t key, names_.intern(row.key));
    KH_TRY(minutes.add(row.counts, key, row.minute));
  }
  return {};
}

Status Writer::last_used(const std::map<std::string, WallTime>& times) {
  KH_ASSIGN(Statement * upsert,
            connection_.prepared("INSERT INTO last_used (key, at) VALUES (?, ?) "
                                 "ON CONFLICT DO UPDATE SET at = max(at, excluded.at)"));
  for (const auto& [key, at] : times) {
    KH_ASSIGN(const std::int64_t id, names_.intern(key));
    KH_TRY(upsert->bind(id, at).run());
  }
  return {};
}

Status Writer::cursors(const std::vector<model::FileCursor>& cursors) {
  KH_ASSIGN(Statement * replace,
            connection_.prepared("INSERT OR REPLACE INTO cursor VALUES "
                                 "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (const auto& c : cursors) {
    KH_ASSIGN(const std::int64_t source, names_.intern(c.source));
    KH_TRY(replace
               ->bind(source, c.id, c.path, c.file.device, c.file.inode, c.file.birth_nanos,
                      c.head_length, c.head_hash, c.offset, c.anchor_length, c.anchor_hash,
                      c.skipping, c.finished, c.updated_at)
               .run());
  }
  return {};
}

Status Writer::dropped_cursors(const std::vector<std::pair<std::string, std::int64_t>>& cursors) {
  KH_ASSIGN(Statement * erase,
            connection_.prepared("DELETE FROM cursor WHERE source = ? AND id = ?"));
  for (const auto& [source, id] : cursors) {
    if (const auto source_id = names_.find(source))
      KH_TRY(erase->bind(*source_id, id).run());
  }
  return {};
}

// A quiet log gives a few ids a commit: they go on in the last row until it holds a page.
Status Writer::seen(const model::SeenBlocks& blocks, std::int64_t from) {
  KH_ASSIGN(Statement * erase, connection_.prepared("DELETE FROM seen WHERE epoch < ?"));
  KH_TRY(erase->bind(from).run());
  KH_ASSIGN(Statement * insert,
            connection_.prepared("INSERT INTO seen (epoch, began, last, ids) VALUES (?, ?, ?, ?)"));
  KH_ASSIGN(Statement * last,
            connection_.prepared("SELECT epoch, length(ids) FROM seen ORDER BY id DESC LIMIT 1"));
  KH_ASSIGN(Statement * extend,
            connection_.prepared("UPDATE seen SET ids = CAST(ids || ? AS BLOB), last = ? "
                                 "WHERE id = (SELECT max(id) FROM seen)"));
  for (const auto& b : blocks) {
    KH_ASSIGN(const bool any, last->bind().next());
    const bool fits = any && last->integer(0) == b->epoch &&
                      last->integer(1) + static_cast<std::int64_t>(b->ids.size()) <= kSeenRow;
    last->reset();
    if (fits)
      KH_TRY(extend->bind(Blob{b->ids}, b->last).run());
    else
      KH_TRY(insert->bind(b->epoch, b->began, b->last, Blob{b->ids}).run());
  }
  return {};
}

Status Writer::quota_windows(const std::vector<model::QuotaWindow>& windows) {
  KH_ASSIGN(Statement * replace,
            connection_.prepared("INSERT OR REPLACE INTO quota_window VALUES (?, ?, ?, ?, ?, ?)"));
  for (const auto& w : windows) {
    KH_ASSIGN(const std::int64_t quota, names_.intern(w.quota));
    KH_ASSIGN(const std::int64_t owner, names_.intern(w.owner));
    KH_TRY(replace->bind(quota, owner, w.start, w.end, w.used, w.level_fired).run());
  }
  return {};
}

Status Writer::balances(const std::vector<model::BalanceRecord>& balances) {
  KH_ASSIGN(Statement * replace,
            connection_.prepared("INSERT OR REPLACE INTO balance VALUES (?, ?, ?, ?, ?)"));
  for (const auto& b : balances) {
    KH_ASSIGN(const std::int64_t key, names_.intern(b.key));
    KH_TRY(replace->bind(key, b.currency, b.nanos, b.at, b.dropped).run());
  }
  return {};
}

Status Writer::balance_drops(const std::vector<model::BalanceDrop>& drops) {
  KH_ASSIGN(Statement * add,
            connection_.prepared(
                "INSERT INTO balance_drop VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "nanos = CASE WHEN nanos > 9223372036854775807 - excluded.nanos "
                "THEN 9223372036854775807 ELSE nanos + excluded.nanos END, "
                "probe_cost = CASE WHEN probe_cost > 9223372036854775807 - excluded.probe_cost "
                "THEN 9223372036854775807 ELSE probe_cost + excluded.probe_cost END, "
                "since = min(since, excluded.since)"));
  for (const auto& d : drops) {
    KH_ASSIGN(const std::int64_t key, names_.intern(d.key));
    KH_TRY(add->bind(key, d.currency, d.bucket, d.nanos, d.probe_cost, d.since).run());
  }
  return {};
}

Status Writer::health(const std::vector<model::KeyHealth>& keys) {
  KH_ASSIGN(Statement * replace, connection_.prepared("INSERT OR REPLACE INTO health VALUES "
                                                      "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (const auto& h : keys) {
    KH_ASSIGN(const std::int64_t key, names_.intern(h.key));
    const auto verdict = h.has_verdict ? std::optional(model::to_string(h.verdict)) : std::nullopt;
    KH_TRY(replace
               ->bind(key, model::to_string(h.state), verdict, h.since, h.why, h.cooldown_until,
                      h.consecutive_failures, h.consecutive_successes, h.auth_strikes, h.paused,
                      h.last_probe_at, h.last_success_at)
               .run());
  }
  return {};
}

Status Writer::evidence(const std::vector<model::Evidence>& evidence) {
  KH_ASSIGN(Statement * insert,
            connection_.prepared("INSERT INTO evidence VALUES "
                                 "(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (const auto& e : evidence) {
    KH_ASSIGN(const std::int64_t key, names_.intern(e.key));
    const auto probe = e.probe ? std::optional(model::to_string(*e.probe)) : std::nullopt;
    const auto balances = encode(e.balances);
    const auto rate_limits = encode(e.rate_limits);
    KH_TRY(insert
               ->bind(key, e.at, model::to_string(e.source), model::to_string(e.verdict), e.count,
                      e.message, e.retry_at, probe, e.http_status, e.latency.count(),
                      e.input_tokens, e.output_tokens, e.cost, balances, rate_limits)
               .run());
  }
  return {};
}

Status Writer::changes(const std::vector<model::StateChange>& changes) {
  KH_ASSIGN(Statement * insert,
            connection_.prepared("INSERT INTO change VALUES (NULL, ?, ?, ?, ?, ?, ?)"));
  for (const auto& c : changes) {
    KH_ASSIGN(const std::int64_t key, names_.intern(c.key));
    KH_TRY(insert
               ->bind(key, c.at, model::to_string(c.from), model::to_string(c.to),
                      model::to_string(c.verdict), c.why)
               .run());
  }
  return {};
}

Status Writer::pools(const std::vector<model::PoolState>& pools) {
  KH_ASSIGN(Statement * replace,
            connection_.prepared("INSERT OR REPLACE INTO pool VALUES (?, ?, ?, ?, ?, ?)"));
  for (const auto& p : pools) {
    KH_ASSIGN(const std::int64_t pool, names_.intern(p.pool));
    KH_TRY(replace->bind(pool, p.active, p.generation, p.decided_at, p.switched_at, p.last_rotation)
               .run());
  }
  return {};
}

Status Writer::rotations(const std::vector<model::Rotation>& rotations) {
  KH_ASSIGN(Statement * replace,
            connection_.prepared("INSERT OR REPLACE INTO rotation VALUES "
                                 "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (const auto& r : rotations) {
    const std::string steps = encode(r.steps);
    KH_TRY(replace
               ->bind(r.id, r.pool, r.from, r.to, r.generation, model::to_string(r.trigger),
                      model::to_string(r.state), model::is_final(r.state), r.reason, r.actor, steps,
                      r.started_at, r.updated_at, model::to_string(r.mode), r.credential)
               .run());
  }
  return {};
}

Status Writer::fires(const std::vector<ScheduleFire>& fires) {
  KH_ASSIGN(Statement * insert, connection_.prepared("INSERT INTO fire VALUES (?, ?, ?, ?)"));
  for (const auto& f : fires) {
    KH_ASSIGN(const std::int64_t schedule, names_.intern(f.schedule));
    Status status = insert->bind(schedule, f.scheduled_at, f.handled_at, f.outcome).run();
    if (!status && status.error().code == ErrorCode::conflict)
      return fail(duplicate_fire(f));
    KH_TRY(std::move(status));
  }
  return {};
}

Status Writer::sealed(const Batch& batch) {
  KH_ASSIGN(Statement * erase, connection_.prepared("DELETE FROM sealed WHERE id = ?"));
  for (const std::string& id : batch.dropped_sealed)
    KH_TRY(erase->bind(id).run());
  KH_ASSIGN(Statement * replace,
            connection_.prepared("INSERT OR REPLACE INTO sealed VALUES (?, ?, ?, ?, ?)"));
  for (const SealedSecret& s : batch.sealed)
    KH_TRY(replace->bind(s.id, s.master_id, s.nonce, s.box, s.sealed_at).run());
  return {};
}

Status Writer::credentials(const Batch& batch) {
  KH_ASSIGN(Statement * erase, connection_.prepared("DELETE FROM credential WHERE name = ?"));
  for (const std::string& name : batch.dropped_credentials)
    KH_TRY(erase->bind(name).run());
  KH_ASSIGN(Statement * replace, connection_.prepared("INSERT OR REPLACE INTO credential VALUES "
                                                      "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  for (const model::Credential& c : batch.credentials) {
    KH_TRY(replace
               ->bind(c.name, c.key, c.pool, c.issuer, c.remote_id, model::to_string(c.state),
                      c.rotation, c.since, c.not_before, c.note, c.expires_at)
               .run());
  }
  return {};
}

Status Writer::settings(const std::map<std::string, std::string>& settings) {
  KH_ASSIGN(Statement * replace,
            connection_.prepared("INSERT OR REPLACE INTO setting VALUES (?, ?)"));
  for (const auto& [name, value] : settings)
    KH_TRY(replace->bind(name, value).run());
  return {};
}

Status Writer::audit(const Batch& batch) {
  KH_ASSIGN(Statement * erase, connection_.prepared("DELETE FROM audit WHERE seq <= ?"));
  if (batch.audit_written > 0)
    KH_TRY(erase->bind(batch.audit_written).run());
  KH_ASSIGN(Statement * insert, connection_.prepared("INSERT INTO audit VALUES (?, ?)"));
  for (const AuditRow& row : batch.audit)
    KH_TRY(insert->bind(row.seq, row.content).run());
  return {};
}

}  // namespace

Status write_batch(Connection& connection, Names& names, const Batch& batch) {
  Writer writer(connection, names);
  KH_TRY(writer.fires(batch.fires));
  KH_TRY(writer.usage(batch.usage));
  KH_TRY(writer.minutes(batch.minutes));
  KH_TRY(writer.add_counters("usage_failure", batch.usage_failures));
  KH_TRY(writer.add_counters("suspect", batch.suspects));
  KH_TRY(writer.last_used(batch.last_used));
  KH_TRY(writer.add_counters("source", batch.source_counts));
  KH_TRY(writer.dropped_cursors(batch.dropped_cursors));
  KH_TRY(writer.cursors(batch.cursors));
  if (!batch.seen.empty())
    KH_TRY(writer.seen(batch.seen, batch.seen_from));
  KH_TRY(writer.quota_windows(batch.quota_windows));
  KH_TRY(writer.balances(batch.balances));
  KH_TRY(writer.balance_drops(batch.balance_drops));
  KH_TRY(writer.health(batch.health));
  KH_TRY(writer.replace_counters("probe", batch.probe_totals));
  KH_TRY(writer.evidence(batch.evidence));
  KH_TRY(writer.changes(batch.changes));
  KH_TRY(writer.pools(batch.pools));
  KH_TRY(writer.replace_counters("pool", batch.pool_totals));
  KH_TRY(writer.rotations(batch.rotations));
  KH_TRY(writer.sealed(batch));
  KH_TRY(writer.credentials(batch));
  KH_TRY(writer.audit(batch));
  return writer.settings(batch.settings);
}

}  // namespace keyherd::store
