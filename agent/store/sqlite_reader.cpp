#include "store/sqlite_reader.hpp"

#include <algorithm>

#include "store/counters.hpp"
#include "store/rules.hpp"
#include "store/sqlite_codec.hpp"
#include "store/sqlite_history.hpp"

namespace keyherd::store {

namespace {

class Reader {
 public:
  Reader(Connection& connection, const Names& names) : connection_(connection), names_(names) {}

  Status usage_totals(State& state);
  Status counters(State& state);
  Status last_used(State& state);
  Status cursors(State& state);
  Status seen(State& state);
  Status quota_windows(State& state);
  Status balances(State& state);
  Status health(State& state);
  Status histories(State& state);
  Status pools(State& state);
  Status rotations(State& state);
  Status fires(State& state);
  Status sealed(State& state);
  Status credentials(State& state);
  Status settings(State& state);
  Status audit(State& state);

 private:
  // Calls `take` for each row.
  template <class Take>
  Status each(std::string_view sql, Take take) {
    KH_ASSIGN(Statement * rows, connection_.prepared(sql));
    rows->bind();
    for (;;) {
      KH_ASSIGN(const bool row, rows->next());
      if (!row)
        return {};
      if (Status taken = take(*rows); !taken) {
        rows->reset();
        return taken;
      }
    }
  }

  // The keys that have rows in the table, through its index: one seek a key, not one a row.
  Result<std::vector<std::string>> keys_with(std::string_view first_key_after_sql);

  template <class Counts>
  Status add_counter(std::map<std::string, Counts>& owners, const Statement& row);

  Connection& connection_;
  const Names& names_;
};

Status Reader::usage_totals(State& state) {
  static const std::string kSql = "SELECT key, model, " + count_columns() +
                                  " FROM usage_total JOIN series ON series.id = usage_total.series";
  return each(kSql, [&](const Statement& row) -> Status {
    KH_ASSIGN(const std::string key, names_.name(row.integer(0)));
    KH_ASSIGN(const std::string model, names_.name(row.integer(1)));
    state.usage_totals[key][model] = read_counts(row, 2);
    return {};
  });
}

template <class Counts>
Status Reader::add_counter(std::map<std::string, Counts>& owners, const Statement& row) {
  KH_ASSIGN(const std::string owner, names_.name(row.integer(1)));
  const std::string wanted = row.text(2);
  const std::int64_t stored = row.integer(3);
  visit_counters(owners[owner], [&](std::string_view name, std::int64_t& value) {
    if (name == wanted)
      value = stored;
  });
  return {};
}

Status Reader::counters(State& state) {
  return each("SELECT family, owner, name, value FROM counter",
              [&](const Statement& row) -> Status {
                const std::string family = row.text(0);
                if (family == "usage_failure")
                  return add_counter(state.usage_failures, row);
                if (family == "suspect")
                  return add_counter(state.suspects, row);
                if (family == "source")
                  return add_counter(state.source_counts, row);
                if (family == "probe")
                  return add_counter(state.probe_totals, row);
                if (family == "pool")
                  return add_counter(state.pool_totals, row);
                return fail(unknown_name("counter.family", family));
              });
}

Status Reader::last_used(State& state) {
  return each("SELECT key, at FROM last_used", [&](const Statement& row) -> Status {
    KH_ASSIGN(const std::string key, names_.name(row.integer(0)));
    state.last_used[key] = row.time(1);
    return {};
  });
}

Status Reader::cursors(State& state) {
  KH_TRY(
      each("SELECT source, id, path, device, inode, birth, head_length, head_hash, offset, "
           "anchor_length, anchor_hash, skipping, finished, updated_at FROM cursor",
           [&](const Statement& row) -> Status {
             model::FileCursor c;
             KH_ASSIGN(c.source, names_.name(row.integer(0)));
             c.id = row.integer(1);
             c.path = row.text(2);
             c.file.device = static_cast<std::uint64_t>(row.integer(3));
             c.file.inode = static_cast<std::uint64_t>(row.integer(4));
             c.file.birth_nanos = row.integer(5);
             c.head_length = static_cast<std::uint32_t>(row.integer(6));
             c.head_hash = static_cast<std::uint64_t>(row.integer(7));
             c.offset = static_cast<std::uint64_t>(row.integer(8));
             c.anchor_length = static_cast<std::uint32_t>(row.integer(9));
             c.anchor_hash = static_cast<std::uint64_t>(row.integer(10));
             c.skipping = row.boolean(11);
             c.finished = row.boolean(12);
             c.updated_at = row.time(13);
             state.cursors.push_back(std::move(c));
             return {};
           }));
  std::sort(state.cursors.begin(), state.cursors.end(), [](const auto& a, const auto& b) {
    return std::tie(a.source, a.id) < std::tie(b.source, b.id);
  });
  return {};
}

Status Reader::seen(State& state) {
  return each("SELECT epoch, began, last, ids FROM seen ORDER BY id",
              [&](const Statement& row) -> Status {
                state.seen.push_back({row.integer(0), row.time(1), row.time(2), row.bytes(3)});
                return {};
              });
}

Status Reader::quota_windows(State& state) {
  KH_TRY(each("SELECT quota, owner, start_at, end_at, used, level_fired FROM quota_window",
              [&](const Statement& row) -> Status {
                model::QuotaWindow w;
                KH_ASSIGN(w.quota, names_.name(row.integer(0)));
                KH_ASSIGN(w.owner, names_.name(row.integer(1)));
                w.start = row.time(2);
                w.end = row.optional_time(3);
                w.used = row.integer(4);
                w.level_fired = static_cast<int>(row.integer(5));
                state.quota_windows.push_back(std::move(w));
                return {};
              }));
  std::sort(state.quota_windows.begin(), state.quota_windows.end(),
            [](const auto& a, const auto& b) {
              return std::tie(a.quota, a.owner) < std::tie(b.quota, b.owner);
            });
  return {};
}

Status Reader::balances(State& state) {
  return each(
      "SELECT key, currency, nanos, at, dropped FROM balance JOIN name ON id = key "
      "ORDER BY name, currency",
      [&](const Statement& row) -> Status {
        model::BalanceRecord b;
        KH_ASSIGN(b.key, names_.name(row.integer(0)));
        b.currency = row.text(1);
        b.nanos = row.integer(2);
        b.at = row.time(3);
        b.dropped = row.integer(4);
        state.balances.push_back(std::move(b));
        return {};
      });
}

Status Reader::health(State& state) {
  return each(
      "SELECT key, state, verdict, since, why, cooldown_until, consecutive_failures, "
      "consecutive_successes, auth_strikes, paused, last_probe_at, last_success_at "
      "FROM health",
      [&](const Statement& row) -> Status {
        model::KeyHealth h;
        KH_ASSIGN(h.key, names_.name(row.integer(0)));
        KH_ASSIGN(h.state, decode_name(model::key_state_from_string(row.text(1)), "health.state",
                                       row.text(1)));
        h.has_verdict = !row.is_null(2);
        if (h.has_verdict) {
          KH_ASSIGN(h.verdict, decode_name(model::verdict_from_string(row.text(2)),
                                           "health.verdict", row.text(2)));
        }
        h.since = row.time(3);
        h.why = row.text(4);
        h.cooldown_until = row.optional_time(5);
        h.consecutive_failures = static_cast<int>(row.integer(6));
        h.consecutive_successes = static_cast<int>(row.integer(7));
        h.auth_strikes = static_cast<int>(row.integer(8));
        h.paused = row.boolean(9);
        h.last_probe_at = row.optional_time(10);
        h.last_success_at = row.optional_time(11);
        std::string key = h.key;
        state.health.emplace(std::move(key), std::move(h));
        return {};
      });
}

Result<std::vector<std::string>> Reader::keys_with(std::string_view first_key_after_sql) {
  KH_ASSIGN(Statement * first_after, connection_.prepared(first_key_after_sql));
  std::vector<std::string> keys;
  std::int64_t last = 0;
  for (;;) {
    KH_ASSIGN(const bool row, first_after->bind(last).next());
    const bool end = !row || first_after->is_null(0);
    last = end ? 0 : first_after->integer(0);
    first_after->reset();
    if (end)
      return keys;
    KH_ASSIGN(std::string key, names_.name(last));
    keys.push_back(std::move(key));
  }
}

// Newest first over all keys; equal times by key, and within a key in the order they were read.
template <class Entry>
void newest_first(std::vector<Entry>& entries) {
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.at != b.at ? a.at > b.at : a.key < b.key;
  });
}

Status Reader::histories(State& state) {
  KH_ASSIGN(const auto proven, keys_with("SELECT min(key) FROM evidence WHERE key > ?"));
  for (const std::string& key : proven) {
    KH_ASSIGN(auto recent, read_recent_evidence(connection_, names_, key));
    std::move(recent.begin(), recent.end(), std::back_inserter(state.evidence));
  }
  newest_first(state.evidence);
  return {};
}

Status Reader::pools(State& state) {
  return each("SELECT pool, active, generation, decided_at, switched_at, last_rotation FROM pool",
              [&](const Statement& row) -> Status {
                model::PoolState p;
                KH_ASSIGN(p.pool, names_.name(row.integer(0)));
                p.active = row.text(1);
                p.generation = row.integer(2);
                p.decided_at = row.time(3);
                p.switched_at = row.time(4);
                p.last_rotation = row.text(5);
                std::string pool = p.pool;
                state.pools.emplace(std::move(pool), std::move(p));
                return {};
              });
}

Status Reader::rotations(State& state) {
  KH_ASSIGN(state.rotations, read_rotations(connection_, "", kRecentRotations));
  KH_ASSIGN(auto unfinished, read_needed_rotations(connection_));
  // Both lists are newest first: one that is not among the newest is older than them.
  const std::size_t recent = state.rotations.size();
  for (auto& rotation : unfinished) {
    const auto end = state.rotations.begin() + static_cast<std::ptrdiff_t>(recent);
    const bool known = std::any_of(state.rotations.begin(), end, [&](const model::Rotation& other) {
      return other.id == rotation.id;
    });
    if (!known)
      state.rotations.push_back(std::move(rotation));
  }
  return {};
}

Status Reader::fires(State& state) {
  return each("SELECT schedule, max(scheduled_at), handled_at, outcome FROM fire GROUP BY schedule",
              [&](const Statement& row) -> Status {
                ScheduleFire f;
                KH_ASSIGN(f.schedule, names_.name(row.integer(0)));
                f.scheduled_at = row.time(1);
                f.handled_at = row.time(2);
                f.outcome = row.text(3);
                std::string schedule = f.schedule;
                state.last_fires.emplace(std::move(schedule), std::move(f));
                return {};
              });
}

Status Reader::sealed(State& state) {
  return each("SELECT id, master_id, nonce, box, sealed_at FROM sealed",
              [&](const Statement& row) -> Status {
                const std::string id = row.text(0);
                state.sealed[id] = {id, row.text(1), row.text(2), row.text(3), row.time(4)};
                return {};
              });
}

Status Reader::credentials(State& state) {
  return each(
      "SELECT name, key, pool, issuer, remote_id, state, rotation, since, not_before, note, "
      "expires_at FROM credential",
      [&](const Statement& row) -> Status {
        model::Credential c{row.text(0), row.text(1), row.text(2),          row.text(3),
                            row.text(4), {},          row.text(6),          row.time(7),
                            row.time(8), row.text(9), row.optional_time(10)};
        KH_ASSIGN(c.state, decode_name(model::credential_state_from_string(row.text(5)),
                                       "credential.state", row.text(5)));
        std::string name = c.name;
        state.credentials.emplace(std::move(name), std::move(c));
        return {};
      });
}

Status Reader::settings(State& state) {
  return each("SELECT name, value FROM setting", [&](const Statement& row) -> Status {
    state.settings[row.text(0)] = row.text(1);
    return {};
  });
}

Status Reader::audit(State& state) {
  return each("SELECT seq, content FROM audit ORDER BY seq", [&](const Statement& row) -> Status {
    state.audit.push_back({row.integer(0), row.text(1)});
    return {};
  });
}

}  // namespace

Result<State> read_state(Connection& connection, const Names& names) {
  Reader reader(connection, names);
  State state;
  KH_TRY(reader.usage_totals(state));
  KH_TRY(reader.counters(state));
  KH_TRY(reader.last_used(state));
  KH_TRY(reader.cursors(state));
  KH_TRY(reader.seen(state));
  KH_TRY(reader.quota_windows(state));
  KH_TRY(reader.balances(state));
  KH_TRY(reader.health(state));
  KH_TRY(reader.histories(state));
  KH_TRY(reader.pools(state));
  KH_TRY(reader.rotations(state));
  KH_TRY(reader.fires(state));
  KH_TRY(reader.sealed(state));
  KH_TRY(reader.credentials(state));
  KH_TRY(reader.settings(state));
  KH_TRY(reader.audit(state));
  return state;
}

}  // namespace keyherd::store
