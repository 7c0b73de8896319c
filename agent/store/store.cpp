#include "store/store.hpp"

#include "base/time_text.hpp"
#include "store/rules.hpp"

namespace keyherd::store {

bool Batch::empty() const {
  return usage.empty() && minutes.empty() && usage_failures.empty() && suspects.empty() &&
         last_used.empty() && source_counts.empty() && cursors.empty() && dropped_cursors.empty() &&
         seen.empty() && quota_windows.empty() && balances.empty() && balance_drops.empty() &&
         health.empty() && probe_totals.empty() && evidence.empty() && changes.empty() &&
         pools.empty() && pool_totals.empty() && rotations.empty() && fires.empty() &&
         dropped_sealed.empty() && sealed.empty() && dropped_credentials.empty() &&
         credentials.empty() && settings.empty() && audit_written == 0 && audit.empty();
}

Result<std::vector<model::UsageRow>> Store::usage(const UsageQuery& query) {
  std::vector<model::UsageRow> rows;
  KH_TRY(each_usage(query, [&](const model::UsageRow& row) {
    rows.push_back(row);
    return Status();
  }));
  return rows;
}

Error duplicate_fire(const ScheduleFire& fire) {
  return Error{ErrorCode::conflict, "committing the firing of schedule " + fire.schedule + " at " +
                                        format_rfc3339(fire.scheduled_at) +
                                        ": it was handled already"};
}

}  // namespace keyherd::store
