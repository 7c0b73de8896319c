#include "usage/fingerprint.hpp"

#include <algorithm>
#include <array>

#include "usage/hash.hpp"

namespace keyherd::usage {

Result<std::optional<std::uint64_t>> hash_range(const ReadableFile& file, std::uint64_t offset,
                                                std::uint32_t length) {
  std::array<char, kHeadBytes> bytes{};
  std::size_t have = 0;
  while (have < length) {
    KH_ASSIGN(const std::size_t got,
              file.read_at(offset + have, std::span<char>(bytes).subspan(have, length - have)));
    if (got == 0)
      return std::optional<std::uint64_t>();
    have += got;
  }
  return std::optional<std::uint64_t>(hash64({bytes.data(), have}));
}

Status load_anchor(const ReadableFile& file, model::FileCursor& cursor) {
  const auto length =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(cursor.offset, kAnchorBytes));
  KH_ASSIGN(const auto hash, hash_range(file, cursor.offset - length, length));
  if (!hash)
    return fail(ErrorCode::unavailable, "reading " + cursor.path + ": it became shorter meanwhile");
  cursor.anchor_length = length;
  cursor.anchor_hash = *hash;
  return {};
}

Status grow_head(const ReadableFile& file, model::FileCursor& cursor) {
  const auto length =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(cursor.offset, kHeadBytes));
  if (length <= cursor.head_length)
    return {};
  KH_ASSIGN(const auto hash, hash_range(file, 0, length));
  if (hash) {
    cursor.head_length = length;
    cursor.head_hash = *hash;
  }
  return {};
}

Result<bool> has_head(const ReadableFile& file, const model::FileCursor& cursor) {
  KH_ASSIGN(const auto hash, hash_range(file, 0, cursor.head_length));
  return hash && (cursor.head_length == 0 || *hash == cursor.head_hash);
}

Result<bool> has_anchor(const ReadableFile& file, const model::FileCursor& cursor) {
  KH_ASSIGN(const auto hash,
            hash_range(file, cursor.offset - cursor.anchor_length, cursor.anchor_length));
  return hash && (cursor.anchor_length == 0 || *hash == cursor.anchor_hash);
}

}  // namespace keyherd::usage
