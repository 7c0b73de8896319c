#include "support/memory_files.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>

namespace keyherd::test {

struct MemoryFileSystem::Node {
  FileId id;
  std::string content;
  WallTime modified;
  unsigned mode = 0644;
};

struct MemoryFileSystem::State {
  mutable std::mutex mutex;
  std::map<std::string, std::shared_ptr<Node>> files;
  std::uint64_t next_inode = 100;
  WallTime last_change{std::chrono::seconds(1'777'000'000)};
  std::optional<FileId> reuse;

  WallTime next_time() { return last_change += std::chrono::milliseconds(1); }
  std::shared_ptr<Node> make(std::string_view content) {
    auto node = std::make_shared<Node>();
    const WallTime now = next_time();
    node->id = FileId{1, next_inode++, now.time_since_epoch().count()};
    if (reuse)
      node->id = *std::exchange(reuse, std::nullopt);
    node->content = content;
    node->modified = now;
    return node;
  }
  std::shared_ptr<Node> find(const std::string& path) const {
    const auto found = files.find(path);
    return found == files.end() ? nullptr : found->second;
  }
};

namespace {
Error missing(std::string_view doing, const std::string& path) {
  return Error{ErrorCode::not_found,
               std::string(doing) + " " + path + ": No such file or directory"};
}
}  // namespace

class MemoryFileSystem::File final : public ReadableFile {
 public:
  File(const MemoryFileSystem& owner, std::shared_ptr<Node> node, std::string path)
      : owner_(owner), node_(std::move(node)), path_(std::move(path)) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> buffer) const override {
    if (owner_.fault)
      KH_TRY(owner_.fault("read_at", path_));
    const std::lock_guard lock(owner_.state_->mutex);
    if (offset >= node_->content.size())
      return std::size_t{0};
    return node_->content.copy(buffer.data(), buffer.size(), offset);
  }

  Result<FileStat> stat() const override {
    const std::lock_guard lock(owner_.state_->mutex);
    return FileStat{node_->id,       FileType::regular, node_->content.size(),
                    node_->modified, node_->mode,       0};
  }

  // Runs of NUL of a page or more count as holes.
  Result<std::uint64_t> next_data(std::uint64_t offset) const override {
    constexpr std::uint64_t kPage = 4096;
    const std::lock_guard lock(owner_.state_->mutex);
    const auto data = node_->content.find_first_not_of('\0', offset);
    const std::uint64_t end = data == std::string::npos ? node_->content.size() : data;
    return end - offset >= kPage ? end : offset;
  }

 private:
  const MemoryFileSystem& owner_;
  std::shared_ptr<Node> node_;
  std::string path_;
};

MemoryFileSystem::MemoryFileSystem() : state_(std::make_unique<State>()) {}
MemoryFileSystem::~MemoryFileSystem() = default;

Result<std::unique_ptr<ReadableFile>> MemoryFileSystem::open(const std::string& path) const {
  if (fault)
    KH_TRY(fault("open", path));
  const std::lock_guard lock(state_->mutex);
  auto node = state_->find(path);
  if (!node)
    return fail(missing("opening", path));
  return std::make_unique<File>(*this, std::move(node), path);
}

Result<FileStat> MemoryFileSystem::stat(const std::string& path) const {
  if (fault)
    KH_TRY(fault("stat", path));
  const std::lock_guard lock(state_->mutex);
  const auto node = state_->find(path);
  if (!node)
    return fail(missing("examining", path));
  return FileStat{node->id, FileType::regular, node->content.size(), node->modified, node->mode, 0};
}

Result<std::vector<std::string>> MemoryFileSystem::glob(const std::string& pattern) const {
  if (fault)
    KH_TRY(fault("glob", pattern));
  const std::lock_guard lock(state_->mutex);
  std::vector<std::string> found;
  for (const auto& [path, node] : state_->files) {
    if (::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0)
      found.push_back(path);
  }
  return found;
}

Result<std::string> MemoryFileSystem::read(const std::string& path, std::size_t max_bytes) const {
  if (fault)
    KH_TRY(fault("read", path));
  const std::lock_guard lock(state_->mutex);
  const auto node = state_->find(path);
  if (!node)
    return fail(missing("opening", path));
  if (node->content.size() > max_bytes)
    return fail(ErrorCode::too_large,
                "reading " + path + ": larger than " + std::to_string(max_bytes) + " bytes");
  return node->content;
}

Status MemoryFileSystem::write_atomic(const std::string& path, std::string_view content,
                                      const WriteOptions& options) const {
  if (fault)
    KH_TRY(fault("write_atomic", path));
  const std::lock_guard lock(state_->mutex);
  auto node = state_->make(content);
  node->mode = options.mode;
  state_->files[path] = std::move(node);
  return {};
}

Status MemoryFileSystem::remove(const std::string& path) const {
  if (fault)
    KH_TRY(fault("remove", path));
  const std::lock_guard lock(state_->mutex);
  if (state_->files.erase(path) == 0)
    return fail(missing("removing", path));
  return {};
}

void MemoryFileSystem::create(const std::string& path, std::string_view content) {
  const std::lock_guard lock(state_->mutex);
  state_->files[path] = state_->make(content);
}

void MemoryFileSystem::append(const std::string& path, std::string_view content) {
  const std::lock_guard lock(state_->mutex);
  auto& node = state_->files[path];
  if (!node)
    node = state_->make("");
  node->content += content;
  node->modified = state_->next_time();
}

void MemoryFileSystem::truncate(const std::string& path, std::size_t size) {
  const std::lock_guard lock(state_->mutex);
  const auto node = state_->files.at(path);
  node->content.resize(size);
  node->modified = state_->next_time();
}

void MemoryFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(state_->mutex);
  state_->files[to] = state_->files.at(from);
  state_->files.erase(from);
}

void MemoryFileSystem::overwrite(const std::string& path, std::string_view content) {
  const std::lock_guard lock(state_->mutex);
  const auto node = state_->files.at(path);
  node->content = content;
  node->modified = state_->next_time();
}

void MemoryFileSystem::set_time(WallTime now) {
  const std::lock_guard lock(state_->mutex);
  state_->last_change = std::max(state_->last_change, now);
}

void MemoryFileSystem::set_modified(const std::string& path, WallTime when) {
  const std::lock_guard lock(state_->mutex);
  state_->files.at(path)->modified = when;
}

void MemoryFileSystem::set_mode(const std::string& path, unsigned mode) {
  const std::lock_guard lock(state_->mutex);
  state_->files.at(path)->mode = mode;
}

void MemoryFileSystem::reuse_identity_of(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  state_->reuse = state_->files.at(path)->id;
}

bool MemoryFileSystem::exists(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  return state_->files.contains(path);
}

std::string MemoryFileSystem::content(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  return state_->files.at(path)->content;
}

}  // namespace keyherd::test
