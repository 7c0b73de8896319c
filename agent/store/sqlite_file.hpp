#pragma once

// The file that holds the database: who may write it, its mode, and that one agent owns it. For the
// SQLite store alone.

#include <string>

#include "base/result.hpp"

namespace keyherd::store {

// Held as long as the object lives; the kernel drops it with the process, however that ends.
class OwnerLock {
 public:
  // Locks "<database>.lock". conflict when another process, or this one, holds it already.
  static Result<OwnerLock> take(const std::string& database);
  ~OwnerLock();
  OwnerLock(OwnerLock&& other) noexcept;
  OwnerLock& operator=(OwnerLock&& other) noexcept;
  OwnerLock(const OwnerLock&) = delete;
  OwnerLock& operator=(const OwnerLock&) = delete;

 private:
  explicit OwnerLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

// The path without symbolic links, so that two names of one file share one lock. The file need not
// exist, its directory must (not_found).
Result<std::string> canonical_database_path(const std::string& path);

// denied when people other than the owner may write the directory or the file.
Status check_ownership(const std::string& path);

// Creates an empty file with mode 0600, whatever the umask, if there is none.
Status create_file(const std::string& path);
// Takes a file that others could read back to 0600.
Status make_private(const std::string& path);

}  // namespace keyherd::store
