#include "usage/gzip_file.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace keyherd::usage {

namespace {

constexpr int kGzipOnly = 15 + 16;  // window bits, and that a gzip header is expected

// The uncompressed bytes in order, from the beginning.
class Inflater {
 public:
  enum class State { going, complete, broken };

  Inflater() = default;
  ~Inflater() { end(); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  void rewind() {
    end();
    position_ = 0;
    packed_at_ = 0;
    state_ = State::going;
    any_member_ = false;
  }
  // Up to into.size() bytes; fewer only at the end.
  Result<std::size_t> next(const ReadableFile& packed, std::span<char> into) {
    std::size_t got = 0;
    while (got < into.size() && state_ == State::going) {
      if (!open_ && !begin())
        return fail(ErrorCode::unavailable, "decompressing: out of memory");
      if (stream_.avail_in == 0)
        KH_TRY(refill(packed));
      stream_.next_out = reinterpret_cast<Bytef*>(into.data() + got);
      stream_.avail_out = static_cast<uInt>(
          std::min<std::size_t>(into.size() - got, std::numeric_limits<uInt>::max()));
      const uInt before = stream_.avail_out;
      const int code = stream_.avail_in == 0 ? Z_BUF_ERROR : ::inflate(&stream_, Z_NO_FLUSH);
      got += before - stream_.avail_out;
      settle(code);
    }
    position_ += got;
    return got;
  }
  [[nodiscard]] std::uint64_t position() const { return position_; }
  [[nodiscard]] State state() const { return state_; }

 private:
  bool begin() {
    stream_ = {};
    stream_.next_in = input_.data();
    open_ = ::inflateInit2(&stream_, kGzipOnly) == Z_OK;
    return open_;
  }
  void end() {
    if (open_)
      ::inflateEnd(&stream_);
    open_ = false;
  }
  Status refill(const ReadableFile& packed) {
    KH_ASSIGN(const std::size_t got,
              packed.read_at(packed_at_, {reinterpret_cast<char*>(input_.data()), input_.size()}));
    packed_at_ += got;
    stream_.next_in = input_.data();
    stream_.avail_in = static_cast<uInt>(got);
    return {};
  }
  void settle(int code) {
    if (code == Z_STREAM_END) {
      any_member_ = true;
      at_member_begin_ = true;
      ::inflateReset(&stream_);
      return;
    }
    const bool between = any_member_ && at_member_begin_;
    if (code == Z_OK) {
      // The header of a further member is taken without output: only its data shows that it is one.
      at_member_begin_ = at_member_begin_ && stream_.total_out == 0;
      return;
    }
    // The end of the file, or what follows the last member.
    state_ = between ? State::complete : State::broken;
  }

  z_stream stream_{};
  bool open_ = false;
  bool any_member_ = false;
  bool at_member_begin_ = true;
  State state_ = State::going;
  std::uint64_t position_ = 0;
  std::uint64_t packed_at_ = 0;
  std::array<Bytef, 65'536> input_{};
};

class Unpacked final : public GzipFile {
 public:
  Unpacked(std::unique_ptr<const ReadableFile> packed, std::string path)
      : packed_(std::move(packed)), path_(std::move(path)) {}

  Status examine() {
    std::string scratch(262'144, '\0');
    while (true) {
      KH_ASSIGN(const std::size_t got, inflater_.next(*packed_, scratch));
      if (got == 0)
        break;
    }
    size_ = inflater_.position();
    complete_ = inflater_.state() == Inflater::State::complete;
    inflater_.rewind();
    return {};
  }

  bool is_complete() const override { return complete_; }

  Result<FileStat> stat() const override {
    KH_ASSIGN(FileStat stat, packed_->stat());
    stat.size = size_;
    return stat;
  }

  Result<std::uint64_t> next_data(std::uint64_t offset) const override { return offset; }

  // Cheap where reading goes forward, or back into what was read last.
  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> buffer) const override {
    if (offset >= size_)
      return std::size_t{0};
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size_ - offset));
    if (offset < begin_ || inflater_.position() != begin_ + kept_.size()) {
      inflater_.rewind();
      begin_ = 0;
      kept_.clear();
    }
    KH_TRY(skip_to(offset));
    kept_.erase(0, static_cast<std::size_t>(offset - begin_));
    begin_ = offset;
    if (kept_.size() < wanted) {
      const std::size_t had = kept_.size();
      kept_.resize(wanted);
      KH_ASSIGN(const std::size_t got,
                inflater_.next(*packed_, std::span<char>(kept_).subspan(had)));
      kept_.resize(had + got);
    }
    const std::size_t count = std::min(wanted, kept_.size());
    std::memcpy(buffer.data(), kept_.data(), count);
    return count;
  }

 private:
  Status skip_to(std::uint64_t offset) const {
    while (begin_ + kept_.size() < offset) {
      begin_ += kept_.size();
      kept_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(65'536, offset - begin_)));
      KH_ASSIGN(const std::size_t got, inflater_.next(*packed_, kept_));
      kept_.resize(got);
      if (got == 0)
        return fail(ErrorCode::unavailable, "reading " + path_ + ": it became shorter meanwhile");
    }
    return {};
  }

  const std::unique_ptr<const ReadableFile> packed_;
  const std::string path_;
  std::uint64_t size_ = 0;
  bool complete_ = false;
  mutable Inflater inflater_;
  mutable std::uint64_t begin_ = 0;
  mutable std::string kept_;  // the bytes from begin_ to where the inflater stands
};

}  // namespace

bool is_gzip_name(std::string_view path) {
  return path.ends_with(".gz");
}

std::string gzip_head(const ReadableFile& packed, std::size_t bytes) {
  Inflater inflater;
  std::string head(bytes, '\0');
  head.resize(inflater.next(packed, head).value_or(0));
  return head;
}

Result<std::unique_ptr<GzipFile>> GzipFile::open(std::unique_ptr<const ReadableFile> packed,
                                                 const std::string& path) {
  auto file = std::make_unique<Unpacked>(std::move(packed), path);
  KH_TRY(file->examine());
  return file;
}

}  // namespace keyherd::usage
