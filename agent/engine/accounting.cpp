#include "engine/accounting.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <iterator>

#include "quota/forecast.hpp"

namespace keyherd::engine {

namespace {

constexpr std::string_view kGroupPrefix = "group:";

std::vector<quota::Assignment> assignments(const config::Config& config) {
  std::vector<quota::Assignment> all;
  const auto assign = [&](const std::vector<std::string>& quotas, const std::string& owner,
                          const std::vector<std::string>& keys) {
    for (const std::string& id : quotas) {
      const auto quota = std::find_if(config.quotas.begin(), config.quotas.end(),
                                      [&](const model::Quota& one) { return one.id == id; });
      all.push_back({*quota, owner, keys});
    }
  };
  std::map<std::string, std::vector<std::string>> members;
  for (const model::Key& key : config.keys) {
    assign(key.quotas, key.id, {key.id});
    members[key.limit_group].push_back(key.id);
  }
  for (const model::LimitGroup& group : config.limit_groups)
    assign(group.quotas, std::string(kGroupPrefix) + group.id, members[group.id]);
  return all;
}

// How long what wallets spent is remembered: looks further apart than this are judged from the
// history alone.
constexpr std::size_t kSamplesKept = 20;
constexpr std::chrono::hours kDrainsKept{24};
constexpr std::chrono::hours kDrainWindow{6};
constexpr std::chrono::seconds kDrainsEvery{10};

model::Evidence passive_evidence(const std::string& key, model::Verdict verdict, std::int64_t count,
                                 WallTime at) {
  model::Evidence evidence;
  evidence.key = key;
  evidence.source = model::EvidenceSource::usage_log;
  evidence.verdict = verdict;
  evidence.count = count;
  evidence.at = at;
  return evidence;
}

template <class Row>
void move_to_end(std::vector<Row>& rows, std::vector<Row>& more) {
  if (rows.empty())
    rows = std::move(more);
  else
    rows.insert(rows.end(), std::make_move_iterator(more.begin()),
                std::make_move_iterator(more.end()));
  more = {};
}

}  // namespace

Status Accounting::configure(const Setup& setup, Instant now) {
  if (planned_)
    return fail(ErrorCode::unavailable, "the agent's state is being saved");
  auto ledger = quota::Ledger::make(assignments(setup.config));
  if (!ledger)
    return fail(ledger.error());
  if (ledger_)
    ledger->inherit(*ledger_, now.wall);
  ledger_.emplace(std::move(*ledger));
  quota::Drains drains(wallets_of(setup.config));
  drains.inherit(drains_);
  drains_ = std::move(drains);
  std::map<std::string, model::SourceView> known = std::exchange(sources_, {});
  auto logs = setup.config.usage_logs;
  logs.push_back(model::make_reports_log());
  for (const model::UsageLog& log : logs) {
    model::SourceView& view = sources_[log.id];
    if (const auto old = known.find(log.id); old != known.end())
      view = std::move(old->second);
    view.log = log;
    changed_.insert(log.id);
  }
  return {};
}

void Accounting::restore(const store::State& state, Instant now) {
  ledger_->restore(state.quota_windows, now.wall);
  for (const model::QuotaWindow& window : state.quota_windows)
    window_starts_[{window.quota, window.owner}] = window.start;
  for (auto& [id, view] : sources_) {
    if (const auto counts = state.source_counts.find(id); counts != state.source_counts.end())
      view.counts = counts->second;
  }
}

quota::HistoryNeed Accounting::history_needed(Instant now) const {
  return ledger_->history_needed(now.wall);
}

quota::HistoryNeed Accounting::burn_needed(Instant now) const {
  return ledger_->burn_needed(now.wall);
}

void Accounting::seed_burn(const std::vector<model::UsageRow>& usage,
                           const std::vector<model::MinuteRow>& minutes) {
  ledger_->seed_burn(usage, minutes);
}

void Accounting::seed(std::vector<model::UsageRow> usage, std::vector<model::MinuteRow> minutes) {
  seed_ = Seed{true, std::move(usage), std::move(minutes)};
}

void Accounting::keep_samples(model::SourceView& view, const model::Tally& tally) {
  view.samples.insert(view.samples.end(), tally.samples.begin(), tally.samples.end());
  view.samples.insert(view.samples.end(), tally.suspect_samples.begin(),
                      tally.suspect_samples.end());
  if (view.samples.size() > kSamplesKept)
    view.samples.erase(view.samples.begin(),
                       view.samples.end() - static_cast<std::ptrdiff_t>(kSamplesKept));
}

std::optional<DrainNeed> Accounting::drains_needed(Instant now) {
  if (std::exchange(drains_seeded_, true))
    return std::nullopt;
  DrainNeed need{{}, now.wall - kDrainWindow, now.wall, now.wall - kDrainsKept};
  for (const auto& [key, record] : herd_.records()) {
    for (const auto& [currency, balance] : record.wallet) {
      if (balance.at < need.earliest)
        continue;
      need.usage_from = std::min(need.usage_from, balance.at - model::kBucketWidth);
      need.keys.push_back(key);
    }
  }
  if (need.keys.empty())
    return std::nullopt;
  return need;
}

void Accounting::seed_drains(const std::vector<model::UsageRow>& usage,
                             const std::vector<model::BalanceDrop>& drops) {
  for (const model::UsageRow& row : usage)
    drains_.add(row);
  for (const model::BalanceDrop& drop : drops)
    drains_.add(drop);
}

void Accounting::add(const std::vector<model::BalanceDrop>& drops) {
  for (const model::BalanceDrop& drop : drops)
    drains_.add(drop);
}

const std::vector<model::WalletDrain>& Accounting::drains(Instant now) {
  if (drained_at_ && now.steady - *drained_at_ < kDrainsEvery)
    return drained_;
  drained_at_ = now.steady;
  drains_.forget_before(now.wall - kDrainsKept);
  drained_ = drains_.between(now.wall - kDrainWindow, WallTime::max());
  std::map<std::string, double> explained;
  for (const model::WalletDrain& drain : drained_) {
    if (drain.unaccounted.value_or(0) == 0)
      continue;
    const double share =
        static_cast<double>(drain.explained) /
        (static_cast<double>(drain.explained) + static_cast<double>(*drain.unaccounted));
    for (const std::string& key : drain.keys)
      explained[key] = share;
  }
  for (const auto& [key, share] : explained)
    herd_.touch(key);
  for (const auto& [key, share] : explained_)
    herd_.touch(key);
  explained_ = std::move(explained);
  return drained_;
}

std::optional<WallTime> Accounting::gone_at(const model::BalanceRecord& balance,
                                            WallTime now) const {
  if (balance.at == WallTime{} || balance.nanos <= 0)
    return std::nullopt;
  return quota::used_up_at(balance.nanos, drains_.fall_rate(balance.key, balance.currency, now),
                           balance.at);
}

std::optional<double> Accounting::trust(const KeyRecord& record, WallTime now) const {
  const auto suspect = record.trust.ratio(now);
  const auto explained = explained_.find(record.key.id);
  if (explained != explained_.end())
    return (1 - suspect.value_or(0)) * explained->second;
  return suspect ? std::optional(1 - *suspect) : std::nullopt;
}

void Accounting::add(model::Tally tally) {
  const auto view = sources_.find(tally.source);
  if (view == sources_.end()) {  // the log was removed by a reload
    if (tally.batch != 0)
      effects_.refuse(tally.source, tally.batch);
    return;
  }
  for (const std::string& sample : tally.samples)
    log_.warn("usage log {}: line not counted: {}", tally.source, sample);
  for (const std::string& note : tally.notes)
    log_.warn("usage log {}: {}", tally.source, note);
  if (view->second.status.up != tally.status.up && !tally.status.up)
    log_.warn("usage log {} cannot be read: {}", tally.source, tally.status.problem);
  const auto last_record = view->second.status.last_record_at;
  view->second.status = tally.status;
  if (!view->second.status.last_record_at)
    view->second.status.last_record_at = last_record;
  keep_samples(view->second, tally);
  changed_.insert(tally.source);
  if (tally.batch != 0)
    waiting_.push_back(std::move(tally));
}

bool Accounting::has_work(Instant now) const {
  if (seed_)
    return seed_->ready;
  const auto roll = next_roll(now.wall);
  return !waiting_.empty() || (roll && *roll <= now.wall);
}

std::optional<WallTime> Accounting::next_roll(WallTime now) const {
  return ledger_ ? ledger_->next_roll(now) : std::nullopt;
}

void Accounting::fill(Instant now) {
  auto planned = std::make_shared<Planned>();
  if (seed_) {
    if (!seed_->ready)
      return;
    planned->change = ledger_->plan_seed(seed_->usage, seed_->minutes, now.wall);
    seed_.reset();
  } else {
    planned->tallies = std::exchange(waiting_, {});
    commit_rows(planned->tallies, now.wall);
    // Rows enter a batch only here, so the batch has exactly these.
    const store::Batch& batch = pipeline_.next();
    planned->change = ledger_->plan(batch.usage, batch.minutes, now.wall);
  }
  if (planned->tallies.empty() && planned->change.empty())
    return;
  store::Batch& batch = pipeline_.next();
  batch.quota_windows.insert(batch.quota_windows.end(), planned->change.windows.begin(),
                             planned->change.windows.end());
  planned_ = true;
  pipeline_.then([this, planned](Instant then) { adopt(planned, then); });
}

// The rows of the tallies: the many are moved, and counted from the batch once it is committed.
void Accounting::commit_rows(std::vector<model::Tally>& tallies, WallTime now) {
  store::Batch& batch = pipeline_.next();
  for (model::Tally& tally : tallies) {
    move_to_end(batch.usage, tally.usage);
    move_to_end(batch.minutes, tally.minutes);
    move_to_end(batch.seen, tally.seen);
    batch.cursors.insert(batch.cursors.end(), tally.cursors.begin(), tally.cursors.end());
    for (const std::int64_t id : tally.dropped_cursors)
      batch.dropped_cursors.emplace_back(tally.source, id);
    batch.seen_from = std::max(batch.seen_from, tally.seen_from);
    batch.source_counts[tally.source].add(tally.counts);
    for (const model::StatusRow& row : tally.failures) {
      auto& failures = batch.usage_failures[row.key];
      failures[static_cast<std::size_t>(model::usage_failure_from_status(row.http_status))] +=
          row.count;
      WallTime& used = batch.last_used[row.key];
      used = std::max(used, std::min(row.last_at, now));
    }
    for (const model::SuspectRow& row : tally.suspects) {
      auto& counts = batch.suspects[row.key];
      for (std::size_t i = 0; i < counts.size(); ++i)
        counts[i] = model::saturating_add(counts[i], row.counts[i]);
    }
    for (const model::SuccessRow& row : tally.successes) {
      WallTime& used = batch.last_used[row.key];
      used = std::max(used, std::min(row.last_at, now));
    }
  }
}

void Accounting::adopt(const std::shared_ptr<Planned>& planned, Instant now) {
  planned_ = false;
  announce(planned->change, now);
  ledger_->adopt(std::move(planned->change));
  count(pipeline_.committed(), now);
  for (const model::Tally& tally : planned->tallies) {
    count(tally, now);
    effects_.acknowledge(tally.source, tally.batch);
  }
  for (const model::Tally& tally : planned->tallies)
    observe(tally, now);
}

void Accounting::count(const store::Batch& batch, Instant now) {
  ledger_->observe(batch.usage, batch.minutes);
  const std::int64_t kept_from = model::bucket_of(now.wall - kDrainsKept);
  // Rows of one key and model stand together in what one log brought, bucket by bucket.
  const auto& rows = batch.usage;
  for (std::size_t i = 0; i < rows.size();) {
    const std::string& key = rows[i].key;
    KeyRecord* record = herd_.find(key);
    model::UsageCounts of_key;
    while (i < rows.size() && rows[i].key == key) {
      const std::string& model = rows[i].model;
      model::UsageCounts of_model;
      for (; i < rows.size() && rows[i].key == key && rows[i].model == model; ++i) {
        if (rows[i].bucket >= kept_from)  // a backlog may reach far back
          drains_.add(rows[i]);
        of_model.add(rows[i].counts);
      }
      if (record != nullptr)
        record->usage_by_model[model].add(of_model);
      of_key.add(of_model);
    }
    if (record == nullptr)
      continue;
    record->errors.add(now.wall, of_key.requests, of_key.failed);
    record->latency.add(now.wall, of_key.latency_count, of_key.latency_ms);
    record->trust.add(now.wall, of_key.requests, 0);
    herd_.touch(key);
  }
}

void Accounting::count(const model::Tally& tally, Instant now) {
  if (const auto source = sources_.find(tally.source); source != sources_.end()) {
    source->second.counts.add(tally.counts);
    changed_.insert(tally.source);
  }
  for (const model::SuspectRow& row : tally.suspects) {
    if (KeyRecord* record = herd_.find(row.key)) {
      std::int64_t lines = 0;
      for (std::size_t i = 0; i < row.counts.size(); ++i) {
        record->suspects[i] = model::saturating_add(record->suspects[i], row.counts[i]);
        lines = model::saturating_add(lines, row.counts[i]);
      }
      record->trust.add(now.wall, 0, lines);
    }
  }
  const auto used = [&](const std::string& key, WallTime at) {
    if (KeyRecord* record = herd_.find(key))
      record->last_used_at = std::max(record->last_used_at.value_or(at), std::min(at, now.wall));
  };
  for (const model::StatusRow& row : tally.failures) {
    if (KeyRecord* record = herd_.find(row.key))
      record->usage_failures[static_cast<std::size_t>(
          model::usage_failure_from_status(row.http_status))] += row.count;
    used(row.key, row.last_at);
  }
  for (const model::SuccessRow& row : tally.successes)
    used(row.key, row.last_at);
}

// The good first: a failure before a success is history, the other way round it is news.
void Accounting::observe(const model::Tally& tally, Instant now) {
  for (const model::SuccessRow& row : tally.successes)
    herd_.observe(passive_evidence(row.key, model::Verdict::ok, row.count, row.last_at), now);
  for (const model::StatusRow& row : tally.failures)
    herd_.observe(passive_evidence(row.key, model::verdict_from_status(row.http_status), row.count,
                                   row.last_at),
                  now);
}

void Accounting::announce(const quota::Change& change, Instant now) {
  for (const quota::Crossing& crossing : change.crossings) {
    if (crossing.highest)
      log_.warn("quota {} of {} is at {} of {} {}: above its {} threshold", crossing.quota,
                crossing.owner, crossing.used, crossing.limit, model::to_string(crossing.unit),
                crossing.level);
  }
  for (const model::QuotaWindow& window : change.windows) {
    const auto [start, is_new] =
        window_starts_.try_emplace({window.quota, window.owner}, window.start);
    const bool began = !is_new && start->second < window.start;
    start->second = window.start;
    for (const std::string& key : ledger_->keys_of(window.owner)) {
      herd_.touch(key);
      if (began)
        herd_.quota_reset(key, now);
    }
  }
}

std::vector<model::QuotaStatus> Accounting::status_of(const std::string& key, WallTime now) const {
  return ledger_ ? ledger_->status(key, now) : std::vector<model::QuotaStatus>{};
}

std::vector<model::QuotaStatus> Accounting::limits_of(const model::Key& key, WallTime now) const {
  std::vector<model::QuotaStatus> all = status_of(key.id, now);
  if (!key.limit_group.empty())
    for (model::QuotaStatus& status : status_of(std::string(kGroupPrefix) + key.limit_group, now))
      all.push_back(std::move(status));
  return all;
}

std::vector<model::QuotaStatus> Accounting::group_status(WallTime now) const {
  std::vector<model::QuotaStatus> all =
      ledger_ ? ledger_->status(now) : std::vector<model::QuotaStatus>{};
  std::erase_if(all, [](const auto& status) { return !status.owner.starts_with(kGroupPrefix); });
  return all;
}

}  // namespace keyherd::engine
