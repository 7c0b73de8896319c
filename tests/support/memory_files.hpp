#pragma once

// A file system in memory that can be made to fail at the n-th call. Files have identities like
// real ones: rename keeps it, create makes a new one, truncate keeps it.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/files.hpp"

namespace keyherd::test {

class MemoryFileSystem final : public FileSystem {
 public:
  MemoryFileSystem();
  ~MemoryFileSystem() override;

  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) const override;
  Result<FileStat> stat(const std::string& path) const override;
  Result<std::vector<std::string>> glob(const std::string& pattern) const override;
  Result<std::string> read(const std::string& path, std::size_t max_bytes) const override;
  Status write_atomic(const std::string& path, std::string_view content,
                      const WriteOptions& options) const override;
  Status remove(const std::string& path) const override;

  // What a writer elsewhere would do.
  void create(const std::string& path, std::string_view content);  // a new identity
  void append(const std::string& path, std::string_view content);  // creates if absent
  void truncate(const std::string& path, std::size_t size);
  void rename(const std::string& from, const std::string& to);
  void overwrite(const std::string& path, std::string_view content);  // same identity
  // Changes from now on happen after this, each a millisecond after the one before.
  void set_time(WallTime now);
  void set_modified(const std::string& path, WallTime when);
  void set_mode(const std::string& path, unsigned mode);
  // The identity that the next created file gets: for inode reuse.
  void reuse_identity_of(const std::string& path);
  [[nodiscard]] bool exists(const std::string& path) const;
  [[nodiscard]] std::string content(const std::string& path) const;

  // Asked before each operation ("open", "stat", "read_at", "glob", "read", "write_atomic",
  // "remove") with its path; an Error makes the call fail with it.
  std::function<Status(std::string_view operation, const std::string& path)> fault;

 private:
  struct Node;
  struct State;
  class File;
  std::unique_ptr<State> state_;
};

}  // namespace keyherd::test
