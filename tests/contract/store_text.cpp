#include "store_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/time_text.hpp"

namespace keyherd::test {

static std::string text_of(WallTime time) {
  return fmt::format("{}", to_unix_nanos(time));
}

static std::string text_of(const std::optional<WallTime>& time) {
  return time ? text_of(*time) : "-";
}

static std::string text_of(const model::SourceCounts& c) {
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {}", c.read_bytes, c.records, c.rejected,
                     c.suspect, c.renames, c.truncations, c.read_errors, c.models_folded, c.future,
                     c.late, c.lost_bytes, c.conflicts, c.skipped);
}

static std::string text_of(const model::ProbeTotals& t) {
  return fmt::format("{} {} {} {} {} {}", t.probes, t.failures, t.input_tokens, t.output_tokens,
                     t.cost, t.paid_at);
}

static std::string text_of(const store::PoolTotals& t) {
  return fmt::format("{} {} {} {} {}", t.rotations, t.failures, t.schedule_runs,
                     t.schedule_failures, t.schedule_missed);
}

template <std::size_t N>
static std::string text_of(const std::array<std::int64_t, N>& counts) {
  return fmt::format("{}", counts);
}

static std::string text_of(const std::string& text) {
  return text;
}

template <class Value>
static std::string map_text(std::string_view title, const std::map<std::string, Value>& map) {
  std::string text;
  for (const auto& [name, value] : map)
    text += fmt::format("{} {}: {}\n", title, name, text_of(value));
  return text;
}

std::string text_of(const model::UsageCounts& c) {
  return fmt::format("{} {} {} {} {} {} {} {} {} {} {} {}", c.requests, c.failed, c.input,
                     c.cached_input, c.cache_write, c.output, c.reasoning, c.cost, c.unpriced,
                     c.latency_ms, c.latency_count, c.table_cost);
}

std::string text_of(const model::UsageRow& row) {
  return fmt::format("usage {} {} {}+{}: {}", row.key, row.model, row.bucket, row.width,
                     text_of(row.counts));
}

std::string text_of(const model::MinuteRow& row) {
  return fmt::format("minute {} {}: {}", row.key, row.minute, text_of(row.counts));
}

std::string text_of(const model::FileCursor& c) {
  return fmt::format("cursor {} {} {} {}/{}/{} {}:{} {} {}:{} {} {} {}", c.source, c.id, c.path,
                     c.file.device, c.file.inode, c.file.birth_nanos, c.head_length, c.head_hash,
                     c.offset, c.anchor_length, c.anchor_hash, c.skipping, c.finished,
                     text_of(c.updated_at));
}

std::string text_of(const model::QuotaWindow& w) {
  return fmt::format("window {} {} {}..{} {} {}", w.quota, w.owner, text_of(w.start),
                     text_of(w.end), w.used, w.level_fired);
}

std::string text_of(const model::BalanceRecord& b) {
  return fmt::format("balance {} {} {} at {} dropped {}", b.key, b.currency, b.nanos, text_of(b.at),
                     b.dropped);
}

std::string text_of(const model::BalanceDrop& d) {
  return fmt::format("drop {} {} {}: {} probes {} since {}", d.key, d.currency, d.bucket, d.nanos,
                     d.probe_cost, text_of(d.since));
}

std::string text_of(const model::KeyHealth& h) {
  return fmt::format("{} {} {} {} '{}' {} {} {} {} {} {} {}", h.key, to_string(h.state),
                     h.has_verdict ? to_string(h.verdict) : "-", text_of(h.since), h.why,
                     text_of(h.cooldown_until), h.consecutive_failures, h.consecutive_successes,
                     h.auth_strikes, h.paused, text_of(h.last_probe_at),
                     text_of(h.last_success_at));
}

std::string text_of(const model::Evidence& e) {
  std::string text =
      fmt::format("evidence {} {} {} {} x{} '{}' {} {} {} {} {}/{} {}", e.key, to_string(e.source),
                  to_string(e.verdict), text_of(e.at), e.count, e.message, text_of(e.retry_at),
                  e.probe ? to_string(*e.probe) : "-", e.http_status, e.latency.count(),
                  e.input_tokens, e.output_tokens, e.cost);
  for (const auto& balance : e.balances)
    text += fmt::format(" {}={}", balance.currency, balance.nanos);
  for (const auto& limit : e.rate_limits)
    text += fmt::format(" {}:{}/{}@{}", limit.resource, limit.remaining, limit.limit,
                        text_of(limit.reset_at));
  return text;
}

std::string text_of(const model::StateChange& c) {
  return fmt::format("change {} {}->{} {} {} '{}'", c.key, to_string(c.from), to_string(c.to),
                     to_string(c.verdict), text_of(c.at), c.why);
}

std::string text_of(const model::PoolState& p) {
  return fmt::format("pool {} '{}' {} {} {} '{}'", p.pool, p.active, p.generation,
                     text_of(p.decided_at), text_of(p.switched_at), p.last_rotation);
}

std::string text_of(const model::Rotation& r) {
  std::string text =
      fmt::format("rotation {} {} '{}'->'{}' {} {} {} '{}' '{}' {} {}", r.id, r.pool, r.from, r.to,
                  r.generation, to_string(r.trigger), to_string(r.state), r.reason, r.actor,
                  text_of(r.started_at), text_of(r.updated_at));
  text += fmt::format(" {} '{}'", to_string(r.mode), r.credential);
  for (const auto& step : r.steps)
    text += fmt::format(" [{} {} '{}']", to_string(step.state), text_of(step.at), step.note);
  return text;
}

std::string text_of(const store::ScheduleFire& f) {
  return fmt::format("fire {} {} {} {}", f.schedule, text_of(f.scheduled_at), text_of(f.handled_at),
                     f.outcome);
}

static std::string hex_of(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes)
    text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

// A store may cut them into blocks as it likes.
static std::string seen_text(const std::vector<model::SeenBlock>& blocks) {
  std::map<std::int64_t, std::pair<std::string, std::string>> epochs;
  for (const auto& block : blocks) {
    auto& [times, ids] = epochs[block.epoch];
    times = text_of(blocks.front().began) + ".." + text_of(block.last);
    ids += block.ids;
  }
  std::string text;
  for (const auto& [epoch, content] : epochs)
    text += fmt::format("seen {} {} {}\n", epoch, content.first, hex_of(content.second));
  return text;
}

std::string text_of(const store::State& state) {
  std::string text;
  for (const auto& [key, models] : state.usage_totals)
    text += map_text("total " + key, models);
  text += map_text("failures", state.usage_failures);
  text += map_text("suspects", state.suspects);
  for (const auto& [key, at] : state.last_used)
    text += fmt::format("last used {}: {}\n", key, text_of(at));
  text += map_text("source", state.source_counts);
  text += text_of(state.cursors);
  text += seen_text(state.seen);
  text += text_of(state.quota_windows);
  text += text_of(state.balances);
  text += map_text("health", state.health);
  text += map_text("probes", state.probe_totals);
  text += text_of(state.evidence);
  text += map_text("pool", state.pools);
  text += map_text("pool totals", state.pool_totals);
  text += text_of(state.rotations);
  text += map_text("last fire", state.last_fires);
  for (const auto& [id, s] : state.sealed)
    text += fmt::format("sealed {} {} {} {} {}\n", id, s.master_id, s.nonce, s.box,
                        text_of(s.sealed_at));
  for (const auto& [name, c] : state.credentials)
    text += fmt::format("credential {} {} {} {} {} {} {} {} {} '{}' {}\n", name, c.key, c.pool,
                        c.issuer, c.remote_id, to_string(c.state), c.rotation, text_of(c.since),
                        text_of(c.not_before), c.note, text_of(c.expires_at));
  text += map_text("setting", state.settings);
  for (const auto& row : state.audit)
    text += fmt::format("audit {} {}\n", row.seq, row.content);
  return text;
}

}  // namespace keyherd::test
