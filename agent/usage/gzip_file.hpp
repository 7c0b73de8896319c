#pragma once

// A gzip file as the text that was compressed, so that a generation that rotation compressed is
// read on where the uncompressed one was left. Memory: what was asked for last, whatever the file
// holds.

#include <memory>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "base/result.hpp"

namespace keyherd::usage {

[[nodiscard]] bool is_gzip_name(std::string_view path);

// How what was compressed begins: at most so many bytes, fewer where it cannot be read. Cheap.
std::string gzip_head(const ReadableFile& packed, std::size_t bytes);

class GzipFile : public ReadableFile {
 public:
  // Reads the file once to its end, checking it. What follows the last whole member and is no gzip
  // is ignored, as gzip does. Errors: those of reading.
  static Result<std::unique_ptr<GzipFile>> open(std::unique_ptr<const ReadableFile> packed,
                                                const std::string& path);

  // Ends with the check sum of its last member. Otherwise it is still being written, or damaged:
  // size is what can be read before that.
  [[nodiscard]] virtual bool is_complete() const = 0;
};

}  // namespace keyherd::usage
