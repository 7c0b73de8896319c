#include "engine/accounting.hpp"

#include <spdlog/logger.h>

#include <algorithm>

namespace keyherd::engine {

namespace {

constexpr std::string_view kGroupPrefix = "group:";

std::vector<quota::Assignment> assignments(const config::Config& config) {
  std::vector<quota::Assignment> all;
  for (const model::Key& key : config.keys) {
    for (const std::string& id : key.quotas) {
      const auto quota = std::find_if(config.quotas.begin(), config.quotas.end(),
                                      [&](const model::Quota& one) { return one.id == id; });
      all.push_back({*quota, key.id, {key.id}});
    }
  }
  return all;
}

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
  std::map<std::string, model::SourceView> known = std::exchange(sources_, {});
  for (const model::UsageLog& log : setup.config.usage_logs) {
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

void Accounting::seed(std::vector<model::UsageRow> usage, std::vector<model::MinuteRow> minutes) {
  seed_ = Seed{true, std::move(usage), std::move(minutes)};
}

void Accounting::add(model::Tally tally) {
  const auto view = sources_.find(tally.source);
  if (view == sources_.end())
    return;  // the log was removed by a reload
  for (const std::string& sample : tally.samples)
    log_.warn("usage log {}: line not counted: {}", tally.source, sample);
  if (view->second.status.up != tally.status.up && !tally.status.up)
    log_.warn("usage log {} cannot be read: {}", tally.source, tally.status.problem);
  const auto last_record = view->second.status.last_record_at;
  view->second.status = tally.status;
  if (!view->second.status.last_record_at)
    view->second.status.last_record_at = last_record;
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

// The rows of the tallies; what the loop needs of them afterwards stays.
void Accounting::commit_rows(std::vector<model::Tally>& tallies, WallTime now) {
  store::Batch& batch = pipeline_.next();
  for (model::Tally& tally : tallies) {
    batch.usage.insert(batch.usage.end(), tally.usage.begin(), tally.usage.end());
    batch.minutes.insert(batch.minutes.end(), tally.minutes.begin(), tally.minutes.end());
    batch.cursors.insert(batch.cursors.end(), tally.cursors.begin(), tally.cursors.end());
    for (const std::int64_t id : tally.dropped_cursors)
      batch.dropped_cursors.emplace_back(tally.source, id);
    batch.source_counts[tally.source].add(tally.counts);
    for (const model::StatusRow& row : tally.failures) {
      auto& failures = batch.usage_failures[row.key];
      failures[static_cast<std::size_t>(model::usage_failure_from_status(row.http_status))] +=
          row.count;
      WallTime& used = batch.last_used[row.key];
      used = std::max(used, std::min(row.last_at, now));
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
  for (const model::Tally& tally : planned->tallies) {
    count(tally, now);
    effects_.acknowledge(tally.source, tally.batch);
  }
  for (const model::Tally& tally : planned->tallies)
    observe(tally, now);
}

void Accounting::count(const model::Tally& tally, Instant now) {
  if (const auto source = sources_.find(tally.source); source != sources_.end()) {
    source->second.counts.add(tally.counts);
    changed_.insert(tally.source);
  }
  for (const model::UsageRow& row : tally.usage) {
    if (KeyRecord* record = herd_.find(row.key)) {
      record->usage_by_model[row.model].add(row.counts);
      record->requests.add(now.wall, row.counts);
      herd_.touch(row.key);
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
    if (window.owner.starts_with(kGroupPrefix))
      continue;
    herd_.touch(window.owner);
    if (began)
      herd_.quota_reset(window.owner, now);
  }
}

std::vector<model::QuotaStatus> Accounting::status_of(const std::string& key, WallTime now) const {
  return ledger_ ? ledger_->status(key, now) : std::vector<model::QuotaStatus>{};
}

std::vector<model::QuotaStatus> Accounting::group_status(WallTime now) const {
  std::vector<model::QuotaStatus> all =
      ledger_ ? ledger_->status(now) : std::vector<model::QuotaStatus>{};
  std::erase_if(all, [](const auto& status) { return !status.owner.starts_with(kGroupPrefix); });
  return all;
}

}  // namespace keyherd::engine
