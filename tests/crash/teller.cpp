#include "teller.hpp"

#include <utility>

#include "store/sqlite_store.hpp"

namespace keyherd::test {

namespace {

constexpr int kTries = 100;

store::Batch batch_of(const model::Tally& tally) {
  store::Batch batch;
  batch.usage = tally.usage;
  batch.cursors = tally.cursors;
  for (const std::int64_t id : tally.dropped_cursors)
    batch.dropped_cursors.emplace_back(tally.source, id);
  batch.source_counts[tally.source] = tally.counts;
  batch.seen = tally.seen;
  batch.seen_from = tally.seen_from;
  return batch;
}

}  // namespace

Result<std::unique_ptr<Teller>> Teller::open(const std::string& directory, bool split_commits) {
  KH_ASSIGN(std::unique_ptr<store::Store> store,
            store::open_sqlite_store({directory + "/state.db"}));
  KH_ASSIGN(store::State state, store->load());
  std::unique_ptr<Teller> teller(new Teller(std::move(store), directory, std::move(state)));
  teller->split_commits_ = split_commits;
  return teller;
}

Teller::Teller(std::unique_ptr<store::Store> store, const std::string& directory,
               store::State state)
    : store_(std::move(store)) {
  model::UsageLog log;
  log.id = "log";
  log.path = directory + "/usage.jsonl*";
  tailer_ = std::make_unique<usage::Tailer>(*files_, std::vector<model::UsageLog>{log},
                                            std::move(state.cursors));
  tailer_->restore_seen(state.seen);
  auto context = std::make_shared<model::UsageContext>();
  context->keys["k1"] = {"k1", "p", false};
  tailer_->set_context(std::move(context));
}

Status Teller::commit(store::Batch batch) {
  if (!split_commits_)
    return commit_whole(batch);
  store::Batch offsets;
  offsets.cursors = std::exchange(batch.cursors, {});
  KH_TRY(commit_whole(batch));
  return commit_whole(offsets);
}

Status Teller::commit_whole(const store::Batch& batch) {
  Status done;
  for (int i = 0; i < kTries; ++i) {
    done = store_->commit(batch);
    if (done)
      return done;
  }
  return done;
}

Result<bool> Teller::step() {
  bool any = false;
  for (const model::Tally& tally : tailer_->poll(SystemClock().now())) {
    if (tally.batch == 0)
      continue;
    KH_TRY(commit(batch_of(tally)));
    tailer_->committed(tally.source, tally.batch);
    any = true;
  }
  return any;
}

Status Teller::drain() {
  while (true) {
    KH_ASSIGN(const bool any, step());
    if (!any && !tailer_->has_more())
      return {};
  }
}

Result<model::UsageCounts> Teller::totals() {
  KH_ASSIGN(const store::State state, store_->load());
  model::UsageCounts totals;
  if (const auto key = state.usage_totals.find("k1"); key != state.usage_totals.end()) {
    for (const auto& [model, counts] : key->second)
      totals.add(counts);
  }
  return totals;
}

}  // namespace keyherd::test
