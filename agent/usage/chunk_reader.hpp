#pragma once

// Reads a file on from a cursor, a chunk at a time, and feeds its complete lines to the parser.
// Every read begins with the anchor, so that it is known in the same read that the new bytes follow
// the old ones. Its memory is one chunk, whatever the files hold.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/files.hpp"
#include "base/result.hpp"
#include "model/usage.hpp"
#include "usage/accumulator.hpp"
#include "usage/format.hpp"
#include "usage/record_parser.hpp"

namespace keyherd::usage {

class ChunkReader {
 public:
  enum class Step {
    advanced,  // the cursor moved
    waiting,   // nothing, or a line without its newline yet
    replaced,  // the file holds something else than what the cursor belongs to
  };

  explicit ChunkReader(std::size_t chunk_bytes) : chunk_bytes_(chunk_bytes) {}

  // What lines mean, for the calls that follow. `format` outlives them.
  void set_lines(const Format& format, std::uint32_t max_line);

  // Moves offset, anchor, head and skipping; nothing moved on an error.
  Result<Step> step(const ReadableFile& file, model::FileCursor& cursor, Accumulator& into);
  // Takes what is left without a newline as the last line: for a file that nobody writes any more.
  Status finish(const ReadableFile& file, model::FileCursor& cursor, Accumulator& into);

  // Lines that are in memory already; the last may lack its newline.
  void take(std::string lines, Accumulator& into);

 private:
  struct Fed {
    std::size_t bytes = 0;
    bool skipping = false;
  };
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  Result<std::string_view> read(const ReadableFile& file, const model::FileCursor& cursor);
  Status skip_nulls(const ReadableFile& file, model::FileCursor& cursor, std::size_t nulls,
                    Accumulator& into);
  Fed feed(std::string_view data, const model::FileCursor& cursor, Accumulator& into);

  const std::size_t chunk_bytes_;
  std::size_t capacity_ = 0;            // of the buffer, without padding
  std::unique_ptr<char, Free> buffer_;  // page-aligned: reading into any other place costs far more
  const Format* format_ = nullptr;
  std::uint32_t max_line_ = 0;
  RecordParser parser_;
};

}  // namespace keyherd::usage
