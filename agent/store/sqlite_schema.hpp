#pragma once

// The tables and how an older file becomes a newer one. docs/store-format.md explains them. For the
// SQLite store alone.

#include "base/result.hpp"
#include "store/sqlite_connection.hpp"

namespace keyherd::store {

// The format that this version writes: PRAGMA user_version.
inline constexpr int kFormatVersion = 6;
// "Kyhd": PRAGMA application_id, shown by `file`.
inline constexpr int kApplicationId = 0x4b796864;

// Checks that the file is ours and of a format we know; creates the tables of a new file and
// carries an older one forward, each step in one transaction. invalid: another program's database,
// written by a newer version, or an old format opened read only. corrupt: damaged.
Status prepare_schema(Connection& connection, bool read_only);

}  // namespace keyherd::store
