#include "base/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/random.hpp"
#include "base/secret.hpp"
#include "base/time_text.hpp"

namespace keyherd {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

FileStat to_stat(const struct statx& s) {
  FileStat result;
  result.id.device = gnu_dev_makedev(s.stx_dev_major, s.stx_dev_minor);
  result.id.inode = s.stx_ino;
  if ((s.stx_mask & STATX_BTIME) != 0)
    result.id.birth_nanos = s.stx_btime.tv_sec * 1'000'000'000LL + s.stx_btime.tv_nsec;
  result.type = S_ISREG(s.stx_mode)   ? FileType::regular
                : S_ISDIR(s.stx_mode) ? FileType::directory
                                      : FileType::other;
  result.size = s.stx_size;
  result.modified = from_unix_nanos(s.stx_mtime.tv_sec * 1'000'000'000LL + s.stx_mtime.tv_nsec);
  result.mode = s.stx_mode & 07777U;
  result.owner = s.stx_uid;
  return result;
}

constexpr unsigned kStatFields = STATX_BASIC_STATS | STATX_BTIME;

class PosixFile final : public ReadableFile {
 public:
  PosixFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> buffer) const override {
    while (true) {
      const ssize_t got =
          ::pread(fd_.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
      if (got >= 0)
        return static_cast<std::size_t>(got);
      if (errno != EINTR)
        return fail(errno_error(errno, "reading " + path_));
    }
  }

  Result<FileStat> stat() const override {
    struct statx s {};
    if (::statx(fd_.get(), "", AT_EMPTY_PATH, kStatFields, &s) != 0)
      return fail(errno_error(errno, "examining " + path_));
    return to_stat(s);
  }

  Result<std::uint64_t> next_data(std::uint64_t offset) const override {
    const off_t found = ::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_DATA);
    if (found >= 0)
      return static_cast<std::uint64_t>(found);
    if (errno == ENXIO) {  // only a hole follows
      KH_ASSIGN(const FileStat now, stat());
      return std::max(now.size, offset);
    }
    if (errno == EINVAL)  // this file system knows no holes
      return offset;
    return fail(errno_error(errno, "seeking in " + path_));
  }

 private:
  Descriptor fd_;
  std::string path_;
};

Status write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t wrote = ::write(fd, content.data(), content.size());
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote < 0)
      return fail(errno_error(errno, "writing " + path));
    content.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

Status sync_directory(const std::string& directory) {
  const Descriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0)
    return fail(errno_error(errno, "syncing directory " + directory));
  return {};
}

// A user's or a group's number: as it stands, or by its name.
template <class Entry>
Result<unsigned> number_of(const std::string& name, std::string_view what,
                           int (*look_up)(const char*, Entry*, char*, std::size_t, Entry**),
                           unsigned (*number)(const Entry&)) {
  if (name.find_first_not_of("0123456789") == std::string::npos)
    return static_cast<unsigned>(std::stoul(name.substr(0, 9)));
  Entry entry{};
  Entry* found = nullptr;
  std::string space(16'384, '\0');
  if (look_up(name.c_str(), &entry, space.data(), space.size(), &found) != 0 || found == nullptr)
    return fail(ErrorCode::not_found, fmt::format("there is no {} '{}'", what, name));
  return number(*found);
}

Status give_to(int fd, const std::string& owner, const std::string& path) {
  constexpr unsigned kUnchanged = ~0U;
  const auto colon = owner.find(':');
  const std::string user = owner.substr(0, colon);
  const std::string group = colon == std::string::npos ? "" : owner.substr(colon + 1);
  unsigned uid = kUnchanged;
  unsigned gid = kUnchanged;
  if (!user.empty()) {
    KH_ASSIGN(uid, number_of<passwd>(user, "user", ::getpwnam_r,
                                     [](const passwd& entry) -> unsigned { return entry.pw_uid; }));
  }
  if (!group.empty()) {
    KH_ASSIGN(gid,
              number_of<::group>(group, "group", ::getgrnam_r,
                                 [](const ::group& entry) -> unsigned { return entry.gr_gid; }));
  }
  if (::fchown(fd, uid, gid) != 0)
    return fail(errno_error(errno, fmt::format("giving {} to {}", path, owner)));
  return {};
}

Status write_temporary(const std::string& path, std::string_view content,
                       const WriteOptions& options) {
  const Descriptor fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (fd.get() < 0)
    return fail(errno_error(errno, "creating " + path));
  if (!options.owner.empty())
    KH_TRY(give_to(fd.get(), options.owner, path));
  if (::fchmod(fd.get(), options.mode) != 0)
    return fail(errno_error(errno, "setting the mode of " + path));
  KH_TRY(write_all(fd.get(), content, path));
  if (options.sync && ::fsync(fd.get()) != 0)
    return fail(errno_error(errno, "syncing " + path));
  return {};
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<ReadableFile>> open(const std::string& path) const override {
    // O_NONBLOCK: opening a FIFO must not wait for its writer.
    Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (fd.get() < 0)
      return fail(errno_error(errno, "opening " + path));
    auto file = std::make_unique<PosixFile>(std::move(fd), path);
    KH_ASSIGN(const FileStat what, file->stat());
    if (what.type != FileType::regular)
      return fail(ErrorCode::invalid, "opening " + path + ": not a regular file");
    return file;
  }

  Result<FileStat> stat(const std::string& path) const override {
    struct statx s {};
    if (::statx(AT_FDCWD, path.c_str(), 0, kStatFields, &s) != 0)
      return fail(errno_error(errno, "examining " + path));
    return to_stat(s);
  }

  Result<std::vector<std::string>> glob(const std::string& pattern) const override {
    glob_t found{};
    const int outcome = ::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found);
    std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    if (outcome != 0 && outcome != GLOB_NOMATCH)
      return fail(ErrorCode::unavailable, "listing " + pattern);
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  Result<std::string> read(const std::string& path, std::size_t max_bytes) const override {
    KH_ASSIGN(const auto file, open(path));
    std::string content;
    std::string chunk(65'536, '\0');
    while (true) {
      KH_ASSIGN(const std::size_t got, file->read_at(content.size(), chunk));
      if (got == 0)
        return content;
      if (content.size() + got > max_bytes)
        return fail(ErrorCode::too_large,
                    fmt::format("reading {}: larger than {} bytes", path, max_bytes));
      content.append(chunk, 0, got);
    }
  }

  Status write_atomic(const std::string& path, std::string_view content,
                      const WriteOptions& options) const override {
    const std::string temporary = path + "." + to_hex(random_bytes(6)) + ".tmp";
    if (auto written = write_temporary(temporary, content, options); !written) {
      ::unlink(temporary.c_str());
      return written;
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      const Error error = errno_error(errno, "replacing " + path);
      ::unlink(temporary.c_str());
      return fail(error);
    }
    return options.sync ? sync_directory(directory_of(path)) : Status{};
  }

  Status remove(const std::string& path) const override {
    if (::unlink(path.c_str()) != 0)
      return fail(errno_error(errno, "removing " + path));
    return {};
  }
};

}  // namespace

std::unique_ptr<FileSystem> make_posix_file_system() {
  return std::make_unique<PosixFileSystem>();
}

std::size_t descriptor_limit() {
  rlimit limit{};
  constexpr std::size_t kUsual = 1024;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return kUsual;
  return limit.rlim_cur;
}

std::string directory_of(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos)
    return ".";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

std::string resolve_path(std::string_view directory, std::string_view path) {
  if (path.starts_with('/') || directory.empty() || directory == ".")
    return std::string(path);
  return std::string(directory) + (directory.ends_with('/') ? "" : "/") + std::string(path);
}

}  // namespace keyherd
