// Pools that the configuration does not name any more. One that comes back goes on from its
// generation, which consumers compare, and from its totals.

#include <algorithm>

#include "engine/pools.hpp"

namespace keyherd::engine {

// What was under way ends here, for people to see: nobody would take its next step. The last key of
// one that is live is still retired, should the pool come back.
void Pools::leave(const std::string& id, Record record, Instant now) {
  end_rows(record, rotation::is_in_progress, now);
  Record left;
  left.pool = std::move(record.pool);
  left.state = std::move(record.state);
  left.totals = record.totals;
  left.history = std::move(record.history);
  left.freeze = std::move(record.freeze);
  left.last_success_at = record.last_success_at;
  left.last_scheduled_success_at = record.last_scheduled_success_at;
  left.republish_at = now.wall;
  left.deciding = record.deciding;
  absent_[id] = std::move(left);
  changed_.insert(id);
  recent_.reset();
}

void Pools::end_rows(Record& record, const std::function<bool(const model::Rotation&)>& ends,
                     Instant now) {
  const auto rows = record.history;
  for (const model::Rotation& row : rows) {
    if (!ends(row))
      continue;
    rotation::Transition ended =
        rotation::abandon(context_of(record, &row, now), row, "its pool is no longer configured");
    note_steps(record, ended.rotation, now);
    remember(record, ended.rotation);
    parts_.pipeline.next().rotations.push_back(ended.rotation);
    keep_secrets(record, ended, now);
    answer_waiting(record, ended.rotation);
  }
}

// What the store knows of pools that were gone before this start.
void Pools::restore_absent(const store::State& state, Instant now) {
  std::map<std::string, Record> gone;
  const auto known = [&](const std::string& id) -> Record* {
    if (records_.contains(id))
      return nullptr;
    Record& record = gone[id];
    record.pool.id = id;
    record.state.pool = id;
    return &record;
  };
  for (const auto& [id, pool] : state.pools) {
    if (Record* record = known(id))
      record->state = pool;
  }
  for (const auto& [id, totals] : state.pool_totals) {
    if (Record* record = known(id))
      record->totals = totals;
  }
  for (const model::Rotation& rotation : state.rotations) {
    if (Record* record = known(rotation.pool))
      record->history.push_back(rotation);
  }
  for (auto& [id, record] : gone) {
    leave(id, std::move(record), now);
    end_rows(
        absent_.at(id), [](const auto& row) { return !model::is_final(row.state); }, now);
  }
}

Pools::Record* Pools::find(const std::string& pool) {
  if (const auto present = records_.find(pool); present != records_.end())
    return &present->second;
  const auto absent = absent_.find(pool);
  return absent == absent_.end() ? nullptr : &absent->second;
}

}  // namespace keyherd::engine
