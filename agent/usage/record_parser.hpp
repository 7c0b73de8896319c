#pragma once

// Lines of JSON to Records, straight into an Accumulator. Blocks are parsed as one stream of
// documents; a block in which anything is wrong is taken again line by line from the first line
// that did not come out clean, so that a bad line costs itself alone. Nothing is allocated per
// line.
//
// Rules: a line is one JSON object; blank lines, '\r' before '\n', a byte order mark and leading
// NULs are ignored; of a name that occurs twice the last counts; null is absent; names are compared
// as they are written (escapes in names are not undone); values of fields that are not ours are
// skipped without a look inside. Token counts are whole numbers ≥ 0 that fit int64; cost_usd is
// read from its decimal digits, never through floating point.

#include <cstdint>
#include <memory>
#include <string_view>

#include "usage/accumulator.hpp"
#include "usage/format.hpp"

namespace keyherd::usage {

class RecordParser {
 public:
  // So many bytes behind a block must be readable.
  static constexpr std::size_t kPadding = 64;

  RecordParser();
  ~RecordParser();

  // `block`: whole lines, each with its '\n'. `offset`: of the block in the file, for samples.
  // Lines longer than max_line bytes, the newline not counted, are rejected.
  void parse(std::string_view block, std::uint64_t offset, const Format& format,
             std::size_t max_line, Accumulator& into);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keyherd::usage
