#include "store_random.hpp"

#include <array>
#include <string>

namespace keyherd::test {

namespace {

int below(std::mt19937& random, int limit) {
  return static_cast<int>(random() % static_cast<unsigned>(limit));
}

// Names that a careless implementation stumbles over.
std::string some_name(std::mt19937& random, std::string_view kind) {
  static const std::array<std::string, 6> kNames{
      "a", "b", "it's \"quoted\"", "clé-🔑", "x'); DROP TABLE usage; --", "tab\there"};
  return std::string(kind) + kNames[static_cast<std::size_t>(below(random, 6))];
}

template <class Enum>
Enum some(std::mt19937& random, std::size_t count) {
  return static_cast<Enum>(below(random, static_cast<int>(count)));
}

std::optional<WallTime> maybe_time(std::mt19937& random) {
  return below(random, 2) == 0 ? std::nullopt : std::optional(some_time(random));
}

model::UsageCounts some_counts(std::mt19937& random) {
  model::UsageCounts c;
  c.requests = 1 + below(random, 9);
  c.failed = below(random, 2);
  c.input = below(random, 1000);
  c.cached_input = below(random, 100);
  c.cache_write = below(random, 10);
  c.output = below(random, 500);
  c.reasoning = below(random, 50);
  c.cost = below(random, 1'000'000);
  c.unpriced = below(random, 2);
  c.latency_ms = below(random, 3000);
  c.latency_count = below(random, 9);
  c.table_cost = below(random, 1'000'000);
  return c;
}

void add_usage(std::mt19937& random, store::Batch& batch) {
  for (int i = below(random, 8); i > 0; --i) {
    batch.usage.push_back(model::UsageRow{some_name(random, "key "), some_name(random, "model "),
                                          1'975'000 + below(random, 4), some_counts(random)});
    batch.minutes.push_back(model::MinuteRow{some_name(random, "key "),
                                             29'626'560 + below(random, 6), some_counts(random)});
  }
  batch.usage_failures[some_name(random, "key ")][static_cast<std::size_t>(below(random, 6))] +=
      below(random, 3);
  batch.last_used[some_name(random, "key ")] = some_time(random);
  auto& source = batch.source_counts[some_name(random, "source ")];
  source.read_bytes = below(random, 10'000);
  source.records = below(random, 2);
  source.rejected[static_cast<std::size_t>(below(random, 7))] = below(random, 3);
  source.skipped = below(random, 3);
  source.future = below(random, 2);
  source.conflicts = below(random, 2);
  source.lost_bytes = below(random, 2);
  source.late = below(random, 2);
  source.suspect[static_cast<std::size_t>(below(random, 4))] = below(random, 3);
  batch.suspects[some_name(random, "key ")][static_cast<std::size_t>(below(random, 4))] +=
      below(random, 3);
}

void add_balances(std::mt19937& random, store::Batch& batch) {
  const std::string currency = below(random, 2) == 0 ? "USD" : "CNY";
  batch.balances.push_back(model::BalanceRecord{some_name(random, "key "), currency,
                                                below(random, 1000) - 10, some_time(random),
                                                below(random, 1000)});
  for (int i = below(random, 3); i > 0; --i)
    batch.balance_drops.push_back(
        model::BalanceDrop{some_name(random, "key "), currency, 1'975'000 + below(random, 4),
                           below(random, 1000), below(random, 10), some_time(random)});
}

void add_seen(std::mt19937& random, store::Batch& batch, int number) {
  const std::int64_t epoch = number / 5;
  std::string ids;
  for (int i = below(random, 3) == 0 ? 0 : below(random, 400); i > 0; --i) {
    for (int byte = 0; byte < 10; ++byte)
      ids += static_cast<char>(below(random, 256));
  }
  if (!ids.empty())
    batch.seen.push_back(std::make_shared<const model::SeenBlock>(
        model::SeenBlock{epoch, WallTime(std::chrono::seconds(epoch)), some_time(random), ids}));
  batch.seen_from = epoch - 2;
}

void add_cursors(std::mt19937& random, store::Batch& batch) {
  model::FileCursor c;
  c.source = some_name(random, "source ");
  c.id = below(random, 3);
  c.path = some_name(random, "/var/log/");
  c.file = FileId{~std::uint64_t{0} - random(), random(), below(random, 1000)};
  c.head_length = static_cast<std::uint32_t>(random());
  c.head_hash = (std::uint64_t(random()) << 32U) | random();
  c.offset = random();
  c.anchor_length = static_cast<std::uint32_t>(random());
  c.anchor_hash = ~std::uint64_t(random());
  c.skipping = below(random, 2) == 0;
  c.finished = below(random, 2) == 0;
  c.updated_at = some_time(random);
  batch.cursors.push_back(c);
  batch.dropped_cursors.emplace_back(some_name(random, "source "), below(random, 3));
  batch.quota_windows.push_back(model::QuotaWindow{
      some_name(random, "quota "), some_name(random, "group:"), some_time(random),
      maybe_time(random), below(random, 50'000), below(random, 4)});
}

void add_beliefs(std::mt19937& random, store::Batch& batch) {
  model::KeyHealth h;
  h.key = some_name(random, "key ");
  h.state = some<model::KeyState>(random, model::kKeyStateCount);
  h.has_verdict = below(random, 2) == 0;
  h.verdict = h.has_verdict ? some<model::Verdict>(random, model::kVerdictCount)
                            : model::KeyHealth().verdict;
  h.since = some_time(random);
  h.why = some_name(random, "because ");
  h.cooldown_until = maybe_time(random);
  h.consecutive_failures = below(random, 5);
  h.consecutive_successes = below(random, 5);
  h.auth_strikes = below(random, 3);
  h.paused = h.state == model::KeyState::paused;
  h.last_probe_at = maybe_time(random);
  h.last_success_at = maybe_time(random);
  batch.health.push_back(h);
  batch.changes.push_back(model::StateChange{h.key, model::KeyState::unknown, h.state,
                                             some<model::Verdict>(random, model::kVerdictCount),
                                             some_time(random), h.why});
  auto& totals = batch.probe_totals[h.key];
  totals.probes[static_cast<std::size_t>(below(random, 4))] = below(random, 3);
  totals.failures[static_cast<std::size_t>(below(random, 15))] = below(random, 2);
  totals.cost = below(random, 2);
  totals.paid_at = below(random, 3);
}

void add_evidence(std::mt19937& random, store::Batch& batch) {
  for (int i = below(random, 5); i > 0; --i) {
    model::Evidence e;
    e.key = some_name(random, "key ");
    e.source = some<model::EvidenceSource>(random, 4);
    e.verdict = some<model::Verdict>(random, model::kVerdictCount);
    e.at = some_time(random);
    e.count = 1 + below(random, 4);
    e.message = some_name(random, "said ");
    e.retry_at = maybe_time(random);
    if (e.source == model::EvidenceSource::probe)
      e.probe = some<model::ProbeKind>(random, model::kProbeKindCount);
    e.http_status = below(random, 600);
    e.latency = std::chrono::microseconds(below(random, 1'000'000));
    if (below(random, 2) == 0)
      e.balances = {{"USD", -5}, {"CNY", 9'000'000'000'000'000'000}};
    if (below(random, 2) == 0)
      e.rate_limits = {{"requests", 500, 499, maybe_time(random)}, {"tokens", 1, 0, std::nullopt}};
    e.cost = below(random, 100);
    batch.evidence.push_back(e);
  }
}

void add_rotations(std::mt19937& random, store::Batch& batch, int number) {
  const std::string pool = some_name(random, "pool ");
  model::Rotation r;
  r.id = "r" + std::to_string(below(random, 40));
  r.pool = pool;
  r.from = some_name(random, "key ");
  r.to = some_name(random, "key ");
  r.generation = number;
  r.trigger = some<model::RotationTrigger>(random, model::kRotationTriggerCount);
  r.state = some<model::RotationState>(random, 11);
  r.reason = some_name(random, "why ");
  r.actor = "agent";
  r.steps.push_back({model::RotationState::planned, some_time(random), some_name(random, "note ")});
  r.steps.push_back({r.state, some_time(random), ""});
  r.started_at = some_time(random);
  r.updated_at = some_time(random);
  r.mode = some<model::RotationMode>(random, 6);
  r.credential = below(random, 2) == 0 ? "" : "keyherd-" + r.id;
  batch.rotations.push_back(r);
  batch.pools.push_back(
      model::PoolState{pool, r.to, number, some_time(random), some_time(random), r.id});
  auto& totals = batch.pool_totals[pool];
  totals.rotations[static_cast<std::size_t>(r.trigger)] = below(random, 2);
  totals.schedule_runs = below(random, 2);
  batch.fires.push_back(store::ScheduleFire{pool, WallTime(std::chrono::seconds(60 * number)),
                                            some_time(random), "started"});
  batch.settings[some_name(random, "setting ")] = some_name(random, "value ");
}

void add_secrets(std::mt19937& random, store::Batch& batch) {
  batch.dropped_sealed.push_back(some_name(random, "entry "));
  batch.sealed.push_back(
      {some_name(random, "entry "), "0011", "aabb", some_name(random, "box "), some_time(random)});
  batch.dropped_credentials.push_back(some_name(random, "keyherd-"));
  batch.credentials.push_back(
      {some_name(random, "keyherd-"), some_name(random, "key "), some_name(random, "pool "),
       "issuer", some_name(random, "id "), some<model::CredentialState>(random, 6), "r1",
       some_time(random), some_time(random), some_name(random, "note "),
       below(random, 2) == 0 ? std::nullopt : std::optional(some_time(random))});
}

// Two entries a batch, the ones of the batch before last are in the file.
void add_audit(std::mt19937& random, store::Batch& batch, int number) {
  for (int i = 0; i < 2; ++i)
    batch.audit.push_back({2 * number + i, some_name(random, "{content} ")});
  if (number % 3 == 0)
    batch.audit_written = 2 * number - 3;
}

}  // namespace

WallTime some_time(std::mt19937& random) {
  return WallTime(std::chrono::seconds(1'777'593'600 + below(random, 300)) +
                  std::chrono::nanoseconds(below(random, 1'000'000'000)));
}

store::Batch random_batch(std::mt19937& random, int number) {
  store::Batch batch;
  add_usage(random, batch);
  add_seen(random, batch, number);
  add_cursors(random, batch);
  add_balances(random, batch);
  add_beliefs(random, batch);
  add_evidence(random, batch);
  add_rotations(random, batch, number);
  add_secrets(random, batch);
  add_audit(random, batch, number);
  return batch;
}

}  // namespace keyherd::test
