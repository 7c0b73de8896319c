#pragma once

// A Batch as rows. For the SQLite store alone.

#include "base/result.hpp"
#include "store/sqlite_connection.hpp"
#include "store/sqlite_names.hpp"
#include "store/store.hpp"

namespace keyherd::store {

// Writes the whole batch inside the open write transaction; the caller commits or rolls back.
// conflict when a ScheduleFire exists already.
Status write_batch(Connection& connection, Names& names, const Batch& batch);

}  // namespace keyherd::store
