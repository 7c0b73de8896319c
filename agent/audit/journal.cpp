#include "audit/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <utility>

namespace keyherd::audit {

namespace {

class Opened {
 public:
  Opened() = default;
  explicit Opened(int descriptor) : descriptor_(descriptor) {}
  ~Opened() { close(); }
  Opened(Opened&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Opened& operator=(Opened&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  void close() {
    if (descriptor_ >= 0)
      ::close(std::exchange(descriptor_, -1));
  }
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

Status sync_directory_of(const std::string& path) {
  const std::string directory = directory_of(path);
  const Opened opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.is_open() || ::fsync(opened.get()) != 0)
    return fail(errno_error(errno, "syncing directory " + directory));
  return {};
}

// What a file ends with.
struct Tail {
  std::optional<Sealed> last;
  std::uint64_t good_bytes = 0;  // up to and with the end of the last whole line
  std::uint64_t torn_bytes = 0;  // behind that
};

class FileJournal final : public Journal {
 public:
  FileJournal(JournalOptions options, const FileSystem& files)
      : options_(std::move(options)), files_(files), head_(options_.known) {}

  Result<Appended> append(const std::vector<Line>& lines) override {
    Appended appended;
    if (auto ready = prepare(appended.mended); !ready) {
      file_.close();
      return fail(with_context(ready.error(), "audit log"));
    }
    Head head = head_;
    std::string text;
    for (const Line& line : lines) {
      if (line.seq > head.seq)
        text += seal(line, head) + "\n";
    }
    if (const Status written = write(text); !written) {
      take_back();
      return fail(with_context(written.error(), "audit log"));
    }
    size_ += text.size();
    head_ = head;
    appended.head = head_;
    return appended;
  }

  Result<std::vector<model::AuditEntry>> read(const Query& query) override {
    return read_entries(files_, options_.path, query);
  }

 private:
  // Open, ours, whole, and with room.
  Status prepare(std::vector<std::string>& mended) {
    if (file_.is_open() && was_replaced())
      file_.close();
    if (!file_.is_open())
      KH_TRY(open(mended));
    if (size_ >= options_.max_bytes)
      KH_TRY(put_aside());
    return {};
  }

  // Somebody moved the file away, as log rotation does: the chain goes on in a new one.
  [[nodiscard]] bool was_replaced() const {
    struct stat ours {};
    struct stat named {};
    return ::fstat(file_.get(), &ours) != 0 || ::stat(options_.path.c_str(), &named) != 0 ||
           ours.st_dev != named.st_dev || ours.st_ino != named.st_ino;
  }

  Status open(std::vector<std::string>& mended) {
    const std::string& path = options_.path;
    KH_ASSIGN(const std::vector<std::string> before, files_of(files_, path));
    Opened opened(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!opened.is_open())
      return fail(errno_error(errno, "opening " + path));
    if (::flock(opened.get(), LOCK_EX | LOCK_NB) != 0)
      return fail(ErrorCode::conflict, "another process writes " + path);
    KH_TRY(sync_directory_of(path));
    KH_ASSIGN(const Tail tail, tail_of(path));
    if (tail.torn_bytes > 0) {
      if (::ftruncate(opened.get(), static_cast<off_t>(tail.good_bytes)) != 0)
        return fail(errno_error(errno, "mending " + path));
      mended.push_back(
          fmt::format("{} bytes of a line that a crash had cut short were removed from "
                      "the end of {}",
                      tail.torn_bytes, path));
    }
    size_ = tail.good_bytes;
    file_ = std::move(opened);
    std::optional<Sealed> last = tail.last;
    const auto older = std::find_if(before.rbegin(), before.rend(),
                                    [&](const std::string& file) { return file != path; });
    if (!last && older != before.rend()) {
      KH_ASSIGN(const Tail aside, tail_of(*older));
      last = aside.last;
    }
    follow(last, mended);
    return {};
  }

  // The chain goes on from whichever is later, the file's last line or the last that is known to
  // have been there.
  void follow(const std::optional<Sealed>& last, std::vector<std::string>& mended) {
    const std::int64_t seq = last ? last->entry.seq : 0;
    if (seq > head_.seq)
      head_ = Head{seq, last->hash};
    else if (seq < head_.seq)
      mended.push_back(fmt::format("lines {} to {} are missing from the end of {}", seq + 1,
                                   head_.seq, options_.path));
    else if (last && last->hash != head_.hash)
      mended.push_back(
          fmt::format("line {} in {} is not the one that was written", seq, options_.path));
  }

  Result<Tail> tail_of(const std::string& path) const {
    Tail tail;
    std::string text;
    KH_TRY(each_line(files_, path, [&](const RawLine& line) {
      if (!line.whole) {
        tail.torn_bytes = line.text.size();
        return true;
      }
      tail.good_bytes += line.text.size() + 1;
      text = line.text;
      return true;
    }));
    // A line that is none is left for whoever verifies the log.
    if (auto last = parse_line(text))
      tail.last = std::move(*last);
    return tail;
  }

  Status write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t wrote = ::write(file_.get(), text.data(), text.size());
      if (wrote < 0 && errno == EINTR)
        continue;
      if (wrote < 0)
        return fail(errno_error(errno, "writing " + options_.path));
      text.remove_prefix(static_cast<std::size_t>(wrote));
    }
    if (::fsync(file_.get()) != 0)
      return fail(errno_error(errno, "syncing " + options_.path));
    return {};
  }

  // Nothing of a failed append stays; if not even that is possible, opening it again mends it.
  void take_back() {
    static_cast<void>(::ftruncate(file_.get(), static_cast<off_t>(size_)) == 0);
    file_.close();
  }

  Status put_aside() {
    std::int64_t first = 0;
    KH_TRY(each_line(files_, options_.path, [&](const RawLine& line) {
      if (const auto sealed = parse_line(line.text))
        first = sealed->entry.seq;
      return first == 0;
    }));
    const std::string aside =
        fmt::format("{}.{:012}", options_.path, first > 0 ? first : head_.seq);
    if (::renameat2(AT_FDCWD, options_.path.c_str(), AT_FDCWD, aside.c_str(), RENAME_NOREPLACE) !=
        0)
      return fail(errno_error(errno, "renaming " + options_.path));
    file_.close();
    std::vector<std::string> nothing;
    return open(nothing);
  }

  JournalOptions options_;
  const FileSystem& files_;
  Opened file_;
  std::uint64_t size_ = 0;
  Head head_;
};

class MemoryJournal final : public Journal {
 public:
  Result<Appended> append(const std::vector<Line>& lines) override {
    for (const Line& line : lines) {
      if (line.seq <= head_.seq)
        continue;
      if (auto sealed = parse_line(seal(line, head_)))
        entries_.push_back(std::move(sealed->entry));
    }
    return Appended{head_, {}};
  }
  Result<std::vector<model::AuditEntry>> read(const Query& query) override {
    std::vector<model::AuditEntry> found;
    std::copy_if(entries_.begin(), entries_.end(), std::back_inserter(found),
                 [&](const model::AuditEntry& entry) { return matches(query, entry); });
    if (found.size() > query.limit)
      found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(query.limit));
    return found;
  }

 private:
  Head head_;
  std::vector<model::AuditEntry> entries_;
};

}  // namespace

std::unique_ptr<Journal> make_file_journal(JournalOptions options, const FileSystem& files) {
  return std::make_unique<FileJournal>(std::move(options), files);
}

std::unique_ptr<Journal> make_memory_journal() {
  return std::make_unique<MemoryJournal>();
}

}  // namespace keyherd::audit
