#pragma once

// What a start needs, read from the tables. For the SQLite store alone.

#include "store/sqlite_connection.hpp"
#include "store/sqlite_names.hpp"
#include "store/store.hpp"

namespace keyherd::store {

// Inside a read transaction, so that all tables are of one moment.
Result<State> read_state(Connection& connection, const Names& names);

}  // namespace keyherd::store
