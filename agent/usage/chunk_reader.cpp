#include "usage/chunk_reader.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "usage/fingerprint.hpp"
#include "usage/hash.hpp"

namespace keyherd::usage {

namespace {
constexpr std::size_t kPage = 4096;
constexpr std::size_t round_up(std::size_t size) {
  return (size + kPage - 1) / kPage * kPage;
}
}  // namespace

void ChunkReader::set_lines(const Format& format, std::uint32_t max_line) {
  format_ = &format;
  max_line_ = max_line;
  // The longest line that counts must fit, with its newline and the anchor before it.
  const std::size_t wanted =
      round_up(std::max<std::size_t>(chunk_bytes_, std::size_t{max_line} + 2) + kAnchorBytes);
  if (wanted <= capacity_)
    return;
  buffer_.reset(
      static_cast<char*>(std::aligned_alloc(kPage, wanted + round_up(RecordParser::kPadding))));
  if (!buffer_)
    throw std::bad_alloc();
  capacity_ = wanted;
}

// The bytes from the anchor on: a chunk, which the caches near the processor hold, or as much as
// the longest line takes where that has no newline.
Result<std::string_view> ChunkReader::read(const ReadableFile& file,
                                           const model::FileCursor& cursor) {
  const std::uint64_t begin = cursor.offset - cursor.anchor_length;
  const std::size_t longest = cursor.anchor_length + std::size_t{max_line_} + 2;
  for (std::size_t wanted = cursor.anchor_length + chunk_bytes_;; wanted = longest) {
    KH_ASSIGN(const std::size_t got, file.read_at(begin, {buffer_.get(), wanted}));
    const std::string_view bytes(buffer_.get(), got);
    if (got < wanted || wanted >= longest || cursor.skipping ||
        bytes.find('\n', cursor.anchor_length) != std::string_view::npos)
      return bytes;
  }
}

Result<ChunkReader::Step> ChunkReader::step(const ReadableFile& file, model::FileCursor& cursor,
                                            Accumulator& into) {
  KH_ASSIGN(const std::string_view bytes, read(file, cursor));
  if (bytes.size() < cursor.anchor_length ||
      (cursor.anchor_length > 0 &&
       hash64(bytes.substr(0, cursor.anchor_length)) != cursor.anchor_hash))
    return Step::replaced;
  const std::string_view data = bytes.substr(cursor.anchor_length);
  const std::size_t nulls =
      cursor.skipping ? 0 : std::min(data.find_first_not_of('\0'), data.size());
  if (nulls > 0) {
    KH_TRY(skip_nulls(file, cursor, nulls, into));
    return Step::advanced;
  }
  model::FileCursor moved = cursor;
  if (cursor.head_length < kHeadBytes) {  // before anything is counted: it may fail
    moved.offset = cursor.offset + data.size();
    KH_TRY(grow_head(file, moved));
  }
  const Fed fed = feed(data, cursor, into);
  if (fed.bytes == 0)
    return Step::waiting;
  moved.skipping = fed.skipping;
  moved.offset = cursor.offset + fed.bytes;
  const std::size_t before = cursor.anchor_length + fed.bytes;
  moved.anchor_length = static_cast<std::uint32_t>(std::min<std::size_t>(before, kAnchorBytes));
  moved.anchor_hash = hash64(bytes.substr(before - moved.anchor_length, moved.anchor_length));
  cursor = std::move(moved);
  into.counts().read_bytes += static_cast<std::int64_t>(fed.bytes);
  return Step::advanced;
}

Status ChunkReader::skip_nulls(const ReadableFile& file, model::FileCursor& cursor,
                               std::size_t nulls, Accumulator& into) {
  KH_ASSIGN(const std::uint64_t data, file.next_data(cursor.offset));
  model::FileCursor moved = cursor;
  moved.offset = std::max(cursor.offset + nulls, data);
  KH_TRY(load_anchor(file, moved));
  KH_TRY(grow_head(file, moved));
  into.counts().read_bytes += static_cast<std::int64_t>(moved.offset - cursor.offset);
  cursor = std::move(moved);
  return {};
}

ChunkReader::Fed ChunkReader::feed(std::string_view data, const model::FileCursor& cursor,
                                   Accumulator& into) {
  if (data.empty())
    return {0, cursor.skipping};
  if (cursor.skipping) {
    const std::size_t newline = data.find('\n');
    return newline == std::string_view::npos ? Fed{data.size(), true} : Fed{newline + 1, false};
  }
  const std::size_t last = data.rfind('\n');
  if (last == std::string_view::npos) {
    if (data.size() <= max_line_)
      return {};
    into.reject(model::RejectReason::too_long, std::nullopt, cursor.offset);
    return {data.size(), true};
  }
  parser_.parse(data.substr(0, last + 1), cursor.offset, *format_, max_line_, into);
  return {last + 1, false};
}

Status ChunkReader::finish(const ReadableFile& file, model::FileCursor& cursor, Accumulator& into) {
  KH_ASSIGN(const std::string_view bytes, read(file, cursor));
  if (bytes.size() <= cursor.anchor_length)
    return {};
  const std::string_view data = bytes.substr(cursor.anchor_length);
  model::FileCursor moved = cursor;
  moved.offset += data.size();
  moved.skipping = false;
  KH_TRY(load_anchor(file, moved));
  KH_TRY(grow_head(file, moved));
  if (!cursor.skipping) {
    buffer_.get()[bytes.size()] = '\n';
    parser_.parse({data.data(), data.size() + 1}, cursor.offset, *format_, max_line_, into);
  }
  into.counts().read_bytes += static_cast<std::int64_t>(data.size());
  cursor = std::move(moved);
  return {};
}

void ChunkReader::take(std::string lines, Accumulator& into) {
  into.counts().read_bytes += static_cast<std::int64_t>(lines.size());
  if (!lines.ends_with('\n'))
    lines += '\n';
  const std::size_t size = lines.size();
  lines.append(RecordParser::kPadding, ' ');
  parser_.parse({lines.data(), size}, 0, *format_, max_line_, into);
}

}  // namespace keyherd::usage
