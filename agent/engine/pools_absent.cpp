// Pools that the configuration does not name any more. One that comes back goes on from its
// generation, which consumers compare, and from its totals; its schedule begins anew.

#include "engine/pools.hpp"

namespace keyherd::engine {

Pools::Record* Pools::find(const std::string& pool) {
  if (const auto present = records_.find(pool); present != records_.end())
    return &present->second;
  const auto absent = absent_.find(pool);
  return absent == absent_.end() ? nullptr : &absent->second;
}

// For what the store has of a pool: one that is not configured was so in an earlier run.
Pools::Record& Pools::find_or_add_absent(const std::string& pool, Instant now) {
  if (Record* record = find(pool))
    return *record;
  Record& record = absent_[pool];
  record.pool.id = pool;
  record.state.pool = pool;
  record.republish_at = now.wall;
  return record;
}

// What was under way ends here, for people to see: nobody would take its next step. The last key of
// one that is live is still retired, should the pool come back. What only a configured pool has,
// its schedule and what it waits for, is left behind.
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
  left.waiting = std::move(record.waiting);
  left.waiting_for = std::move(record.waiting_for);
  left.republish_at = now.wall;
  left.deciding = record.deciding;
  absent_[id] = std::move(left);
  changed_.insert(id);
}

void Pools::end_rows(Record& record, const std::function<bool(const model::Rotation&)>& ends,
                     Instant now) {
  const auto rows = record.history;
  for (const model::Rotation& row : rows) {
    if (ends(row))
      proceed(
          record,
          rotation::abandon(context_of(record, &row, now), row, "its pool is no longer configured"),
          now);
  }
}

}  // namespace keyherd::engine
