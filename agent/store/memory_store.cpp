#include "store/memory_store.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <tuple>
#include <utility>

#include "store/rules.hpp"

namespace keyherd::store {

namespace {

template <class Entry>
using HistoryByKey = std::map<std::string, std::vector<Entry>>;  // in the order of insertion

// Newest first by the entries' own time; of equal times the later inserted one first.
template <class Entry>
std::vector<Entry> newest(const HistoryByKey<Entry>& history, const HistoryQuery& query) {
  const auto found = history.find(query.key);
  if (found == history.end())
    return {};
  std::vector<Entry> entries;
  std::copy_if(found->second.rbegin(), found->second.rend(), std::back_inserter(entries),
               [&](const Entry& entry) { return !query.until || entry.at <= *query.until; });
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.at > b.at; });
  entries.resize(std::min(entries.size(), query.limit));
  return entries;
}

// The newest of every key and the newest of its probes, newest first over all; equal times by key.
std::vector<model::Evidence> recent_evidence(const HistoryByKey<model::Evidence>& history) {
  std::vector<model::Evidence> entries;
  for (const auto& [key, of_key] : history) {
    std::size_t place = 0;
    std::size_t probes = 0;
    for (auto& evidence : newest(history, {key, std::nullopt, of_key.size()})) {
      const bool is_probe = evidence.probe && probes++ < kRecentProbesPerKey;
      if (place++ < kRecentPerKey || is_probe)
        entries.push_back(std::move(evidence));
    }
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.at > b.at; });
  return entries;
}

template <class Entry>
void erase_before(HistoryByKey<Entry>& history, WallTime before) {
  for (auto& [key, entries] : history)
    std::erase_if(entries, [&](const Entry& entry) { return entry.at < before; });
}

template <std::size_t N>
void add(std::array<std::int64_t, N>& into, const std::array<std::int64_t, N>& counts) {
  for (std::size_t i = 0; i < counts.size(); ++i)
    into[i] = model::saturating_add(into[i], counts[i]);
}

// Totals replace what is there; totals of nothing but zeros are not kept.
template <class Totals>
void replace(std::map<std::string, Totals>& into, const std::map<std::string, Totals>& totals) {
  for (const auto& [owner, value] : totals) {
    if (value == Totals{})
      into.erase(owner);
    else
      into[owner] = value;
  }
}

class MemoryStore final : public Store {
 public:
  Result<State> load() override;
  Status commit(const Batch& batch) override;
  Status each_usage(const UsageQuery& query, const UsageVisitor& visit) override;
  Result<std::vector<model::MinuteRow>> minutes(const UsageQuery& query) override;
  Result<std::vector<model::BalanceDrop>> balance_drops(const UsageQuery& query) override;
  Result<std::vector<model::Evidence>> evidence(const HistoryQuery& query) override {
    return newest(evidence_, query);
  }
  Result<std::vector<model::StateChange>> changes(const HistoryQuery& query) override {
    return newest(changes_, query);
  }
  Result<std::vector<model::Rotation>> rotations(const std::string& pool,
                                                 std::size_t limit) override;
  Result<bool> roll_up(const RollUp& plan) override;
  Status prune(WallTime usage_before, WallTime minutes_before, WallTime evidence_before) override;

 private:
  // By key, model, bucket and width.
  using UsageMap = std::map<std::tuple<std::string, std::string, std::int64_t, std::int32_t>,
                            model::UsageCounts>;

  void add_usage(const Batch& batch);
  void add_balances(const Batch& batch);
  void replace_rows(const Batch& batch);
  [[nodiscard]] std::vector<model::Rotation> newest_rotations() const;

  State state_;  // all but cursors, windows, histories, rotations and fires, which are below
  UsageMap quarters_;
  UsageMap hours_;
  UsageMap days_;
  std::map<std::pair<std::string, std::int64_t>, model::UsageCounts> minutes_;
  std::map<std::pair<std::string, std::string>, model::BalanceRecord> balances_;
  std::map<std::tuple<std::string, std::string, std::int64_t>, model::BalanceDrop> balance_drops_;
  std::map<std::pair<std::string, std::int64_t>, model::FileCursor> cursors_;
  std::map<std::pair<std::string, std::string>, model::QuotaWindow> quota_windows_;
  HistoryByKey<model::Evidence> evidence_;
  HistoryByKey<model::StateChange> changes_;
  std::map<std::string, model::Rotation> rotations_;
  std::map<std::pair<std::string, WallTime>, ScheduleFire> fires_;
};

Result<State> MemoryStore::load() {
  State state = state_;
  for (const auto& [id, cursor] : cursors_)
    state.cursors.push_back(cursor);
  for (const auto& [id, window] : quota_windows_)
    state.quota_windows.push_back(window);
  for (const auto& [id, balance] : balances_)
    state.balances.push_back(balance);
  state.evidence = recent_evidence(evidence_);
  std::size_t position = 0;
  for (auto& rotation : newest_rotations()) {
    const bool is_recent =
        state.rotations.empty() ||
        rotation.started_at > state.rotations.front().started_at - WallTime::duration(kRecentTime);
    if (position++ < kRecentRotations || is_recent || !model::is_final(rotation.state))
      state.rotations.push_back(std::move(rotation));
  }
  for (const auto& [id, fire] : fires_)
    state.last_fires[id.first] = fire;
  return state;
}

Status MemoryStore::commit(const Batch& batch) {
  std::set<std::pair<std::string, WallTime>> firing;
  for (const auto& fire : batch.fires) {
    const std::pair id(fire.schedule, fire.scheduled_at);
    if (fires_.contains(id) || !firing.insert(id).second)
      return fail(duplicate_fire(fire));
  }
  for (const auto& fire : batch.fires)
    fires_.emplace(std::pair(fire.schedule, fire.scheduled_at), fire);
  add_usage(batch);
  add_balances(batch);
  replace_rows(batch);
  for (const auto& evidence : batch.evidence)
    evidence_[evidence.key].push_back(evidence);
  for (const auto& change : batch.changes)
    changes_[change.key].push_back(change);
  return {};
}

void MemoryStore::add_usage(const Batch& batch) {
  for (const auto& row : batch.usage) {
    quarters_[{row.key, row.model, row.bucket, 1}].add(row.counts);
    state_.usage_totals[row.key][row.model].add(row.counts);
  }
  for (const auto& row : batch.minutes)
    minutes_[{row.key, row.minute}].add(row.counts);
  for (const auto& [key, counts] : batch.usage_failures) {
    if (counts != std::array<std::int64_t, model::kUsageFailureCount>{})
      add(state_.usage_failures[key], counts);
  }
  for (const auto& [key, counts] : batch.suspects) {
    if (counts != model::SuspectCounts{})
      add(state_.suspects[key], counts);
  }
  for (const auto& [key, at] : batch.last_used) {
    auto& last = state_.last_used.try_emplace(key, at).first->second;
    last = std::max(last, at);
  }
  for (const auto& [source, counts] : batch.source_counts) {
    if (counts != model::SourceCounts{})
      state_.source_counts[source].add(counts);
  }
}

void MemoryStore::add_balances(const Batch& batch) {
  for (const auto& balance : batch.balances)
    balances_[{balance.key, balance.currency}] = balance;
  for (const auto& drop : batch.balance_drops) {
    const auto [entry, is_new] =
        balance_drops_.try_emplace({drop.key, drop.currency, drop.bucket}, drop);
    if (is_new)
      continue;
    model::BalanceDrop& sum = entry->second;
    sum.nanos = model::saturating_add(sum.nanos, drop.nanos);
    sum.probe_cost = model::saturating_add(sum.probe_cost, drop.probe_cost);
    sum.since = std::min(sum.since, drop.since);
  }
}

void MemoryStore::replace_rows(const Batch& batch) {
  for (const auto& id : batch.dropped_cursors)
    cursors_.erase(id);
  for (const auto& cursor : batch.cursors)
    cursors_[{cursor.source, cursor.id}] = cursor;
  if (!batch.seen.empty())
    std::erase_if(state_.seen, [&](const auto& block) { return block.epoch < batch.seen_from; });
  for (const auto& block : batch.seen) {
    const bool goes_on = !state_.seen.empty() && state_.seen.back().epoch == block->epoch;
    if (!goes_on)
      state_.seen.push_back({block->epoch, block->began, block->last, {}});
    state_.seen.back().ids += block->ids;
    state_.seen.back().last = block->last;
  }
  for (const auto& window : batch.quota_windows)
    quota_windows_[{window.quota, window.owner}] = window;
  for (const auto& health : batch.health)
    state_.health[health.key] = health;
  replace(state_.probe_totals, batch.probe_totals);
  for (const auto& pool : batch.pools)
    state_.pools[pool.pool] = pool;
  replace(state_.pool_totals, batch.pool_totals);
  for (const auto& rotation : batch.rotations)
    rotations_[rotation.id] = rotation;
  for (const auto& id : batch.dropped_sealed)
    state_.sealed.erase(id);
  for (const auto& sealed : batch.sealed)
    state_.sealed[sealed.id] = sealed;
  for (const auto& name : batch.dropped_credentials)
    state_.credentials.erase(name);
  for (const auto& credential : batch.credentials)
    state_.credentials[credential.name] = credential;
  for (const auto& [name, value] : batch.settings)
    state_.settings[name] = value;
  std::erase_if(state_.audit, [&](const AuditRow& row) { return row.seq <= batch.audit_written; });
  state_.audit.insert(state_.audit.end(), batch.audit.begin(), batch.audit.end());
}

std::vector<model::Rotation> MemoryStore::newest_rotations() const {
  std::vector<model::Rotation> rotations;
  for (const auto& [id, rotation] : rotations_)
    rotations.push_back(rotation);
  std::sort(rotations.begin(), rotations.end(), [](const auto& a, const auto& b) {
    return std::tie(a.started_at, a.id) > std::tie(b.started_at, b.id);
  });
  return rotations;
}

bool wants(const UsageQuery& query, const std::string& key) {
  return query.keys.empty() ||
         std::find(query.keys.begin(), query.keys.end(), key) != query.keys.end();
}

Status MemoryStore::each_usage(const UsageQuery& query, const UsageVisitor& visit) {
  UsageMap all = days_;  // a span may be among the hours and among the days, after a change of zone
  for (const UsageMap* more : {&hours_, &quarters_}) {
    for (const auto& [id, counts] : *more)
      all[id].add(counts);
  }
  for (const auto& [id, counts] : all) {
    const auto& [key, model, bucket, width] = id;
    const bool late = query.from && bucket < model::bucket_of(*query.from);
    const bool early = query.to && model::bucket_start(bucket) >= *query.to;
    if (!late && !early && wants(query, key))
      KH_TRY(visit(model::UsageRow{key, model, bucket, counts, width}));
  }
  return {};
}

Result<bool> MemoryStore::roll_up(const RollUp& plan) {
  UsageMap& from = plan.into == RollUpInto::hours ? quarters_ : hours_;
  UsageMap& into = plan.into == RollUpInto::hours ? hours_ : days_;
  const std::int64_t end = model::bucket_of(plan.before);
  std::size_t moved = 0;
  for (auto row = from.begin(); row != from.end();) {
    const auto& [key, model, bucket, width] = row->first;
    if (bucket >= end) {
      ++row;
      continue;
    }
    if (moved++ >= std::max<std::size_t>(plan.max_rows, 1))
      return true;
    const BucketSpan span = plan.span_of(bucket);
    into[{key, model, span.first, span.width}].add(row->second);
    row = from.erase(row);
  }
  return false;
}

Result<std::vector<model::MinuteRow>> MemoryStore::minutes(const UsageQuery& query) {
  std::vector<model::MinuteRow> rows;
  for (const auto& [id, counts] : minutes_) {
    const auto& [key, minute] = id;
    const bool late = query.from && minute < model::minute_of(*query.from);
    const bool early = query.to && WallTime(std::chrono::minutes(minute)) >= *query.to;
    if (!late && !early && wants(query, key))
      rows.push_back(model::MinuteRow{key, minute, counts});
  }
  return rows;
}

Result<std::vector<model::BalanceDrop>> MemoryStore::balance_drops(const UsageQuery& query) {
  std::vector<model::BalanceDrop> rows;
  for (const auto& [id, drop] : balance_drops_) {
    const bool late = query.from && drop.bucket < model::bucket_of(*query.from);
    const bool early = query.to && model::bucket_start(drop.bucket) >= *query.to;
    if (!late && !early && wants(query, drop.key))
      rows.push_back(drop);
  }
  return rows;
}

Result<std::vector<model::Rotation>> MemoryStore::rotations(const std::string& pool,
                                                            std::size_t limit) {
  auto rotations = newest_rotations();
  std::erase_if(rotations,
                [&](const auto& rotation) { return !pool.empty() && rotation.pool != pool; });
  rotations.resize(std::min(rotations.size(), limit));
  return rotations;
}

Status MemoryStore::prune(WallTime usage_before, WallTime minutes_before,
                          WallTime evidence_before) {
  for (UsageMap* usage : {&quarters_, &hours_, &days_}) {
    std::erase_if(*usage, [&](const auto& row) {
      return std::get<2>(row.first) + std::get<3>(row.first) <= model::bucket_of(usage_before);
    });
  }
  std::erase_if(balance_drops_, [&](const auto& row) {
    return row.second.bucket < model::bucket_of(usage_before);
  });
  std::erase_if(minutes_, [&](const auto& row) {
    return row.first.second < model::minute_of(minutes_before);
  });
  erase_before(evidence_, evidence_before);
  for (auto& [key, changes] : changes_) {
    const auto last = newest(changes_, {key, evidence_before - std::chrono::nanoseconds(1), 1});
    std::erase_if(changes, [&](const model::StateChange& change) {
      return !last.empty() && change.at < last.front().at;
    });
  }
  // The newest fire of each schedule is the memory of what was handled.
  std::map<std::string, WallTime> newest_fire;
  for (const auto& [id, fire] : fires_)
    newest_fire[id.first] = id.second;
  std::erase_if(fires_, [&](const auto& entry) {
    const auto& [schedule, at] = entry.first;
    return at < evidence_before && at < newest_fire[schedule];
  });
  std::size_t position = 0;
  for (const auto& rotation : newest_rotations()) {
    if (position++ >= kRecentRotations && model::is_final(rotation.state) &&
        rotation.started_at < evidence_before)
      rotations_.erase(rotation.id);
  }
  return {};
}

}  // namespace

std::unique_ptr<Store> make_memory_store() {
  return std::make_unique<MemoryStore>();
}

}  // namespace keyherd::store
