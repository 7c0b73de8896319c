#pragma once

// The file system behind one interface, so that tests can hold it in memory or make it fail at the
// n-th call. Paths are UTF-8 as the configuration wrote them. Safe to call from any thread.

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace keyherd {

// What makes a file the same file: the inode alone is reused within milliseconds (ext4), so the
// birth time belongs to it; 0 where the file system keeps none.
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t birth_nanos = 0;
  friend bool operator==(const FileId&, const FileId&) = default;
};

enum class FileType { regular, directory, other };

struct FileStat {
  FileId id;
  FileType type = FileType::other;
  std::uint64_t size = 0;
  WallTime modified;
  unsigned mode = 0;  // permission bits
  uid_t owner = 0;
};

class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  // Reads up to buffer.size() bytes at offset; 0 means end of file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<char> buffer) const = 0;
  // Of the open file, whatever its name points to by now.
  virtual Result<FileStat> stat() const = 0;
  // The first offset ≥ offset that is not inside a hole; the file's size when only a hole follows.
  virtual Result<std::uint64_t> next_data(std::uint64_t offset) const = 0;
};

struct WriteOptions {
  unsigned mode = 0600;
  bool sync = true;  // fsync the file and its directory
  // "user", "user:group" or ":group", names or numbers; empty: as the file is made.
  std::string owner{};
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Opens a regular file for reading; anything else (directory, FIFO, device, socket) is refused
  // without blocking.
  virtual Result<std::unique_ptr<ReadableFile>> open(const std::string& path) const = 0;
  // Follows symbolic links.
  virtual Result<FileStat> stat(const std::string& path) const = 0;
  // Shell patterns (* ? [..]), sorted; a pattern that matches nothing is an empty list.
  virtual Result<std::vector<std::string>> glob(const std::string& pattern) const = 0;
  // The whole of a regular file; too_large beyond max_bytes.
  virtual Result<std::string> read(const std::string& path, std::size_t max_bytes) const = 0;
  // Temporary file in the same directory, mode set before content, fsync, rename, fsync of the
  // directory: readers see the old content or the new, never a part; on failure the old file stays.
  virtual Status write_atomic(const std::string& path, std::string_view content,
                              const WriteOptions& options) const = 0;
  virtual Status remove(const std::string& path) const = 0;
};

std::unique_ptr<FileSystem> make_posix_file_system();

// How many descriptors this process may have open.
std::size_t descriptor_limit();

// "/etc/keyherd" for "/etc/keyherd/keyherd.toml"; "." for a bare name.
std::string directory_of(std::string_view path);
// path itself if absolute, else directory + "/" + path.
std::string resolve_path(std::string_view directory, std::string_view path);

}  // namespace keyherd
