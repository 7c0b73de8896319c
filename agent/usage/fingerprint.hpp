#pragma once

// How a file is known again when names, inodes and sizes lie: by the hash of its head, which grows
// with the file to kHeadBytes, and by the hash of the bytes just before the place where reading
// stopped.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/files.hpp"
#include "base/result.hpp"
#include "model/usage.hpp"

namespace keyherd::usage {

inline constexpr std::uint32_t kHeadBytes = 1024;
inline constexpr std::uint32_t kAnchorBytes = 256;

// The hash of exactly `length` bytes at offset; nothing when the file ends before.
Result<std::optional<std::uint64_t>> hash_range(const ReadableFile& file, std::uint64_t offset,
                                                std::uint32_t length);

// Sets the anchor of cursor.offset from the file.
Status load_anchor(const ReadableFile& file, model::FileCursor& cursor);
// Lengthens the head towards min(offset, kHeadBytes).
Status grow_head(const ReadableFile& file, model::FileCursor& cursor);

// Whether the file begins as the cursor's file did, and whether what stands before cursor.offset is
// what was read there.
Result<bool> has_head(const ReadableFile& file, const model::FileCursor& cursor);
Result<bool> has_anchor(const ReadableFile& file, const model::FileCursor& cursor);

}  // namespace keyherd::usage
