#pragma once

// The Store in one SQLite file: WAL, synchronous FULL, one transaction a batch, interned ids.
// docs/store-format.md describes the tables.

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "store/store.hpp"

namespace keyherd::store {

struct SqliteOptions {
  std::string path;
  bool read_only = false;  // for offline commands; takes no lock
};

// Opens or creates the file (mode 0600, directory must exist). Errors: conflict when another agent
// has it open, corrupt when it is damaged, invalid when of a newer format (never overwritten),
// denied when the file or its directory may be written by others, unavailable, no_space.
Result<std::unique_ptr<Store>> open_sqlite_store(const SqliteOptions& options);

// Moves a damaged file, with its -wal and -shm, to "<path>.corrupt-<time>", which is returned.
// Errors: conflict (another agent has it open), those of renaming.
Result<std::string> set_aside_sqlite_file(const std::string& path, WallTime now);

// The version of the SQLite library in use.
std::string_view sqlite_version();

}  // namespace keyherd::store
