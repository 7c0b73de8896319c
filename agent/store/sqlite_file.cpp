#include "store/sqlite_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

#include "base/files.hpp"
#include "base/text.hpp"

namespace keyherd::store {

namespace {

std::string base_name(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

struct FreeDeleter {
  void operator()(char* text) const { std::free(text); }
};

Result<std::string> real_path(const std::string& path) {
  const std::unique_ptr<char, FreeDeleter> resolved(::realpath(path.c_str(), nullptr));
  if (!resolved)
    return fail(errno_error(errno, "opening " + path));
  return std::string(resolved.get());
}

// The process id that the owner wrote, for the message; empty when it cannot be read.
std::string owner_of(int descriptor) {
  std::array<char, 24> buffer{};
  const ssize_t count = ::pread(descriptor, buffer.data(), buffer.size(), 0);
  const std::string_view text =
      trim(std::string_view(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0));
  return parse_int(text) ? fmt::format(" (process {})", text) : std::string();
}

void write_owner(int descriptor) {
  // Only for people and the message of the next opener: the lock holds without it.
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(descriptor, 0) == 0)
    static_cast<void>(::pwrite(descriptor, text.data(), text.size(), 0) == 0);
}

}  // namespace

Result<OwnerLock> OwnerLock::take(const std::string& database) {
  const std::string path = database + ".lock";
  OwnerLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (lock.descriptor_ < 0)
    return fail(errno_error(errno, "opening " + path));
  // An open-file-description lock: unlike a classic one it also excludes a second opener in this
  // process, and closing some other descriptor of the file does not drop it.
  struct flock region {};
  region.l_type = F_WRLCK;
  region.l_whence = SEEK_SET;
  if (::fcntl(lock.descriptor_, F_OFD_SETLK, &region) != 0) {
    if (errno != EAGAIN && errno != EACCES)
      return fail(errno_error(errno, "locking " + path));
    return fail(
        ErrorCode::conflict,
        fmt::format("opening {}: another agent{} has it open; stop it, or give this one its own "
                    "state file",
                    database, owner_of(lock.descriptor_)));
  }
  write_owner(lock.descriptor_);
  return lock;
}

OwnerLock::~OwnerLock() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

OwnerLock::OwnerLock(OwnerLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

OwnerLock& OwnerLock::operator=(OwnerLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Result<std::string> canonical_database_path(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0)
    return real_path(path);
  KH_ASSIGN(const std::string directory, real_path(directory_of(path)));
  return (directory == "/" ? "" : directory) + "/" + base_name(path);
}

Status check_ownership(const std::string& path) {
  constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
  const std::string directory = directory_of(path);
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0)
    return fail(errno_error(errno, "opening " + directory));
  // In a sticky directory (/tmp) nobody can replace a file that is not his own.
  if ((status.st_mode & kOthersWrite) != 0 && (status.st_mode & S_ISVTX) == 0)
    return fail(ErrorCode::denied,
                fmt::format("opening {}: others may write its directory; run: chmod go-w {}", path,
                            directory));
  if (::stat(path.c_str(), &status) != 0)
    return errno == ENOENT ? Status() : Status(fail(errno_error(errno, "opening " + path)));
  if (!S_ISREG(status.st_mode))
    return fail(ErrorCode::invalid, fmt::format("opening {}: not a regular file", path));
  if ((status.st_mode & kOthersWrite) != 0)
    return fail(ErrorCode::denied,
                fmt::format("opening {}: others may write it; run: chmod 600 {}", path, path));
  if (status.st_uid != ::geteuid() && ::geteuid() != 0)
    return fail(
        ErrorCode::denied,
        fmt::format("opening {}: it belongs to user id {}, this is {}; run the agent as its "
                    "owner",
                    path, status.st_uid, ::geteuid()));
  return {};
}

Status create_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return errno == EEXIST ? Status() : Status(fail(errno_error(errno, "creating " + path)));
  const int result = ::fchmod(descriptor, 0600);
  const int error_number = errno;
  ::close(descriptor);
  if (result != 0)
    return fail(errno_error(error_number, "setting the mode of " + path));
  return {};
}

Status make_private(const std::string& path) {
  // By name: opening and closing the file would drop the locks that SQLite holds on it.
  if (::chmod(path.c_str(), 0600) != 0)
    return fail(errno_error(errno, "setting the mode of " + path));
  return {};
}

}  // namespace keyherd::store
