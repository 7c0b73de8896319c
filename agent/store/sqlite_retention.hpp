#pragma once

// History that grows old: first in wider rows, then gone. For the SQLite store alone; see Store for
// meanings. Both work inside the open write transaction; the caller commits or rolls back.

#include "store/sqlite_connection.hpp"
#include "store/sqlite_names.hpp"
#include "store/store.hpp"

namespace keyherd::store {

Result<bool> roll_up_usage(Connection& connection, const Names& names, const RollUp& plan);

Status prune_history(Connection& connection, WallTime usage_before, WallTime minutes_before,
                     WallTime evidence_before);

}  // namespace keyherd::store
