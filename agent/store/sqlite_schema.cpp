#include "store/sqlite_schema.hpp"

#include <fmt/format.h>

#include <array>

namespace keyherd::store {

namespace {

// Times are nanoseconds since the epoch, money is nano-USD, enums are their names.
constexpr const char* kVersion1 = R"sql(
CREATE TABLE name (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE series (
  id INTEGER PRIMARY KEY,
  key INTEGER NOT NULL,
  model INTEGER NOT NULL,
  UNIQUE (key, model)
) STRICT;

CREATE TABLE usage (
  series INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cached_input INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  latency_count INTEGER NOT NULL,
  PRIMARY KEY (series, bucket)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_total (
  series INTEGER PRIMARY KEY,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cached_input INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  latency_count INTEGER NOT NULL
) STRICT;

CREATE TABLE minute (
  key INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cached_input INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  latency_count INTEGER NOT NULL,
  PRIMARY KEY (key, minute)
) STRICT, WITHOUT ROWID;

CREATE TABLE last_used (
  key INTEGER PRIMARY KEY,
  at INTEGER NOT NULL
) STRICT;

CREATE TABLE counter (
  family TEXT NOT NULL,
  owner INTEGER NOT NULL,
  name TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY (family, owner, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursor (
  source INTEGER NOT NULL,
  id INTEGER NOT NULL,
  path TEXT NOT NULL,
  device INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  birth INTEGER NOT NULL,
  head_length INTEGER NOT NULL,
  head_hash INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  anchor_length INTEGER NOT NULL,
  anchor_hash INTEGER NOT NULL,
  skipping INTEGER NOT NULL,
  finished INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE quota_window (
  quota INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  start_at INTEGER NOT NULL,
  end_at INTEGER,
  used INTEGER NOT NULL,
  level_fired INTEGER NOT NULL,
  PRIMARY KEY (quota, owner)
) STRICT, WITHOUT ROWID;

CREATE TABLE health (
  key INTEGER PRIMARY KEY,
  state TEXT NOT NULL,
  verdict TEXT,
  since INTEGER NOT NULL,
  why TEXT NOT NULL,
  cooldown_until INTEGER,
  consecutive_failures INTEGER NOT NULL,
  consecutive_successes INTEGER NOT NULL,
  auth_strikes INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  last_probe_at INTEGER,
  last_success_at INTEGER
) STRICT;

CREATE TABLE evidence (
  id INTEGER PRIMARY KEY,
  key INTEGER NOT NULL,
  at INTEGER NOT NULL,
  source TEXT NOT NULL,
  verdict TEXT NOT NULL,
  count INTEGER NOT NULL,
  message TEXT NOT NULL,
  retry_at INTEGER,
  probe TEXT,
  http_status INTEGER NOT NULL,
  latency INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  balances TEXT,
  rate_limits TEXT
) STRICT;
CREATE INDEX evidence_by_key ON evidence (key, at);

CREATE TABLE change (
  id INTEGER PRIMARY KEY,
  key INTEGER NOT NULL,
  at INTEGER NOT NULL,
  from_state TEXT NOT NULL,
  to_state TEXT NOT NULL,
  verdict TEXT NOT NULL,
  why TEXT NOT NULL
) STRICT;
CREATE INDEX change_by_key ON change (key, at);

CREATE TABLE pool (
  pool INTEGER PRIMARY KEY,
  active TEXT NOT NULL,
  generation INTEGER NOT NULL,
  decided_at INTEGER NOT NULL,
  switched_at INTEGER NOT NULL,
  last_rotation TEXT NOT NULL
) STRICT;

CREATE TABLE rotation (
  id TEXT PRIMARY KEY,
  pool TEXT NOT NULL,
  from_key TEXT NOT NULL,
  to_key TEXT NOT NULL,
  generation INTEGER NOT NULL,
  trigger TEXT NOT NULL,
  state TEXT NOT NULL,
  final INTEGER NOT NULL,
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  steps TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX rotation_by_time ON rotation (started_at, id);
CREATE INDEX rotation_by_pool ON rotation (pool, started_at, id);
CREATE INDEX rotation_unfinished ON rotation (started_at) WHERE final = 0;

CREATE TABLE fire (
  schedule INTEGER NOT NULL,
  scheduled_at INTEGER NOT NULL,
  handled_at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  PRIMARY KEY (schedule, scheduled_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

// Usage that grew old, in wider rows.
constexpr const char* kVersion2 = R"sql(
CREATE TABLE usage_hour (
  series INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  width INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cached_input INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  latency_count INTEGER NOT NULL,
  PRIMARY KEY (series, bucket, width)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_day (
  series INTEGER NOT NULL,
  bucket INTEGER NOT NULL,
  width INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cached_input INTEGER NOT NULL,
  cache_write INTEGER NOT NULL,
  output INTEGER NOT NULL,
  reasoning INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  latency_count INTEGER NOT NULL,
  PRIMARY KEY (series, bucket, width)
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kVersion3 = R"sql(
ALTER TABLE usage ADD COLUMN table_cost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_total ADD COLUMN table_cost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_hour ADD COLUMN table_cost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage_day ADD COLUMN table_cost INTEGER NOT NULL DEFAULT 0;
ALTER TABLE minute ADD COLUMN table_cost INTEGER NOT NULL DEFAULT 0;

CREATE TABLE balance (
  key INTEGER NOT NULL,
  currency TEXT NOT NULL,
  nanos INTEGER NOT NULL,
  at INTEGER NOT NULL,
  dropped INTEGER NOT NULL,
  PRIMARY KEY (key, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE balance_drop (
  key INTEGER NOT NULL,
  currency TEXT NOT NULL,
  bucket INTEGER NOT NULL,
  nanos INTEGER NOT NULL,
  probe_cost INTEGER NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (key, currency, bucket)
) STRICT, WITHOUT ROWID;
CREATE INDEX balance_drop_by_time ON balance_drop (bucket);
)sql";

// Request ids that were counted. `ids` holds ten bytes each, and grows to a page before a new row
// is begun.
constexpr const char* kVersion4 = R"sql(
CREATE TABLE seen (
  id INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL,
  began INTEGER NOT NULL,
  last INTEGER NOT NULL,
  ids BLOB NOT NULL
) STRICT;
CREATE INDEX seen_by_epoch ON seen (epoch);
)sql";

// Secrets that the agent keeps, and those at providers that it must not forget.
constexpr const char* kVersion5 = R"sql(
CREATE TABLE sealed (
  id TEXT PRIMARY KEY,
  master_id TEXT NOT NULL,
  nonce TEXT NOT NULL,
  box TEXT NOT NULL,
  sealed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
  name TEXT PRIMARY KEY,
  key TEXT NOT NULL,
  pool TEXT NOT NULL,
  issuer TEXT NOT NULL,
  remote_id TEXT NOT NULL,
  state TEXT NOT NULL,
  rotation TEXT NOT NULL,
  since INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  note TEXT NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE rotation ADD COLUMN mode TEXT NOT NULL DEFAULT 'switch';
ALTER TABLE rotation ADD COLUMN credential TEXT NOT NULL DEFAULT '';
UPDATE rotation SET state = 'staged' WHERE state = 'verified' AND final = 0;
)sql";

// Entries of the audit log on their way to its file; when a secret that the agent made expires.
constexpr const char* kVersion6 = R"sql(
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY,
  content TEXT NOT NULL
) STRICT;

ALTER TABLE credential ADD COLUMN expires_at INTEGER;
)sql";

// Entry n carries a file from format n to format n + 1; entries are never changed once released.
constexpr std::array<const char*, kFormatVersion> kMigrations{kVersion1, kVersion2, kVersion3,
                                                              kVersion4, kVersion5, kVersion6};

Status migrate(Connection& connection, std::int64_t from) {
  for (auto version = static_cast<std::size_t>(from); version < kMigrations.size(); ++version) {
    const std::string stamp = fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};",
                                          kApplicationId, version + 1);
    Status done = connection.begin_write();
    if (done)
      done = connection.execute(kMigrations[version]);
    if (done)
      done = connection.execute(stamp.c_str());
    if (done)
      done = connection.commit();
    if (!done) {
      connection.rollback();
      return done;
    }
  }
  return {};
}

}  // namespace

Status prepare_schema(Connection& connection, bool read_only) {
  KH_ASSIGN(const std::int64_t application, connection.integer("PRAGMA application_id"));
  KH_ASSIGN(const std::int64_t version, connection.integer("PRAGMA user_version"));
  KH_ASSIGN(const std::int64_t objects, connection.integer("SELECT count(*) FROM sqlite_schema"));
  const bool empty = application == 0 && version == 0 && objects == 0;
  if (application != kApplicationId && !empty)
    return fail(
        ErrorCode::invalid,
        fmt::format("opening {}: it is the SQLite database of another program; it is left as it "
                    "is, give the agent another state file",
                    connection.path()));
  if (version > kFormatVersion)
    return fail(
        ErrorCode::invalid,
        fmt::format("opening {}: it was written by a newer keyherd (format {}, this one knows "
                    "{}); it is left as it is: run the newer version, or restore the backup that "
                    "was made before the upgrade",
                    connection.path(), version, kFormatVersion));
  if (version == kFormatVersion)
    return {};
  if (read_only)
    return fail(
        ErrorCode::invalid,
        fmt::format("opening {}: it has format {} and must first be brought to {}; start the "
                    "agent once",
                    connection.path(), version, kFormatVersion));
  return migrate(connection, version);
}

}  // namespace keyherd::store
